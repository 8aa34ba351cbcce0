import type { ServiceDetail } from "@weft/control/dashboard/view";

/**
 * What share each version should get: by the last HTTP route, which is the one
 * for requests that no earlier one took, or the TCP route where there is no
 * other. Empty when that route does not name versions.
 */
export function configuredShares(detail: ServiceDetail | undefined): ReadonlyMap<string, number> {
  const shares = new Map<string, number>();
  if (!detail) return shares;
  const versions = new Map(detail.subsets.map(({ name, version }) => [name, version]));
  const route = detail.routes.findLast(({ protocol }) => protocol === "http") ?? detail.routes.at(-1);
  for (const { subset, share } of route?.destinations ?? []) {
    const version = versions.get(subset);
    if (version) shares.set(version, (shares.get(version) ?? 0) + share);
  }
  return shares;
}
