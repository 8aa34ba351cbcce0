import type { LocalityFailover, LocalityPolicy } from "./locality-policy.ts";
import type { PortPolicy } from "./traffic-policy.ts";

/** Whose places matter, to calls of a service by this policy; undefined: nobody's. */
export function localityInForce(
  service: { readonly nearness?: LocalityFailover },
  policy: Pick<PortPolicy, "locality" | "outlier">,
  usual: LocalityPolicy,
): Exclude<LocalityPolicy, { kind: "even" }> | undefined {
  const said = policy.locality ?? service.nearness ?? usual;
  if (said.kind === "even") return undefined;
  // Nothing would ever be found unwell, and so the nearest be called whatever happens.
  if (said.kind === "failover" && !said.isForced && !policy.outlier) return undefined;
  return said;
}
