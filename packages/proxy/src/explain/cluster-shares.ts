import type { ClusterShare } from "./call-trace.ts";

/** Finer than any weight: they add up to less than 2³². */
const finest = 2 ** -34;

/**
 * How often each cluster is chosen, found by asking the choice itself: `choose`
 * gives the same object for the same entry, and entries in order as `random`
 * goes from 0 to 1.
 */
export function clusterShares<Choice extends { readonly cluster: string }>(
  choose: (random: number) => Choice,
): { readonly shares: readonly ClusterShare[]; readonly largest: Choice } {
  const found: { readonly choice: Choice; share: number }[] = [];
  const add = (choice: Choice, share: number) => {
    const last = found.at(-1);
    if (last?.choice === choice) last.share += share;
    else found.push({ choice, share });
  };
  const visit = (low: number, first: Choice, high: number, last: Choice): void => {
    if (first === last || high - low < finest) {
      add(first, high - low);
      return;
    }
    const middle = (low + high) / 2;
    const between = choose(middle);
    visit(low, first, middle, between);
    visit(middle, between, high, last);
  };
  visit(0, choose(0), 1, choose(1 - finest));
  const visible = found.filter(({ share }) => share > finest * 4);
  const shares = visible.map(({ choice, share }) => ({
    cluster: choice.cluster,
    // Weights are whole numbers: what the search left over is rounded away.
    share: Math.round(share * 1e6) / 1e6,
  }));
  const largest = visible.reduce((best, one) => (one.share > best.share ? one : best));
  return { shares, largest: largest.choice };
}
