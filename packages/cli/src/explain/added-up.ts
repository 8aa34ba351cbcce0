import type { ClusterShare, Forwarding, HttpShare } from "@weft/proxy/explain/call-trace";

/** Clusters that shares of a call lead to: each once, with what it gets of all. */
export function addedUp(
  shares: readonly HttpShare[],
  of: (forward: Forwarding) => readonly ClusterShare[],
): ClusterShare[] {
  if (shares.length === 1) return shares[0]!.http.forward ? [...of(shares[0]!.http.forward)] : [];
  const all = shares.flatMap(({ share, http }) =>
    (http.forward ? of(http.forward) : []).map((one) => ({ cluster: one.cluster, share: one.share * share })),
  );
  return [...Map.groupBy(all, ({ cluster }) => cluster)].map(([cluster, own]) => ({
    cluster,
    share: Math.round(own.reduce((sum, { share }) => sum + share, 0) * 1e6) / 1e6,
  }));
}
