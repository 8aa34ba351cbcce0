import type { ClusterShare } from "./call-trace.ts";
import { drawShares } from "./draw-shares.ts";

/** How often each cluster is chosen, in the order of draws, and the one that most often is. @see drawShares */
export function clusterShares<Choice extends { readonly cluster: string }>(
  choose: (random: number) => Choice,
): { readonly shares: readonly ClusterShare[]; readonly largest: Choice } {
  const found = drawShares(choose);
  const shares = found.map(({ choice, share }) => ({ cluster: choice.cluster, share }));
  const largest = found.reduce((best, one) => (one.share > best.share ? one : best));
  return { shares, largest: largest.choice };
}
