import { formatSpiffeBundle } from "@weft/identity/spiffe-bundle";
import type { FederatedDomain, FederationStatus } from "../api/federation-protocol.ts";
import type { FederatedBundle } from "./federated-bundles.ts";

/** What `weft federation` shows of another trust domain. */
export function federatedDomain(known: FederatedBundle): FederatedDomain {
  const { source, bundle, fetchedAtMs, changedAtMs, nextAtMs, problem } = known;
  const { endpoint } = source;
  return {
    trustDomain: source.trustDomain,
    from: source.name,
    ...(endpoint && {
      url: endpoint.url,
      profile: endpoint.spiffeId === undefined ? "https_web" : "https_spiffe",
      ...(endpoint.spiffeId !== undefined && { endpointSpiffeId: endpoint.spiffeId }),
    }),
    state: bundle === undefined ? "unknown" : fetchedAtMs === undefined ? "initial" : "fetched",
    roots: (bundle?.roots ?? []).map(({ x509, facts }) => ({
      subject: x509.subject?.split("\n").join(", ") ?? "",
      fingerprint: x509.fingerprint256,
      notAfterMs: facts.notAfterMs,
    })),
    jwtKeys: bundle?.jwtKeys.length ?? 0,
    ...(bundle?.sequence !== undefined && { sequence: bundle.sequence.toString() }),
    ...(bundle?.refreshHintS !== undefined && { refreshHintSeconds: bundle.refreshHintS }),
    ...(fetchedAtMs !== undefined && { fetchedAtMs }),
    ...(changedAtMs !== undefined && { changedAtMs }),
    ...(nextAtMs !== undefined && { nextAtMs }),
    ...(problem !== undefined && { problem }),
    ...(bundle && { bundle: formatSpiffeBundle(bundle) }),
  };
}

/** Why no identity of a trust domain is good; undefined where some may be. */
export function federationProblem({
  trustDomain,
  state,
  problem,
  roots,
}: FederationStatus["domains"][number]): string | undefined {
  if (state === "unknown")
    return `no identity of ${trustDomain} is taken: ${problem ?? "its bundle has not been fetched yet"}`;
  if (problem !== undefined) return `the bundle of ${trustDomain} is not renewed: ${problem}`;
  return roots.length === 0 ? `no identity of ${trustDomain} is taken: its bundle has no roots` : undefined;
}
