import type { BucketCounts } from "./sample.ts";

/**
 * The value below which the share `q` of the observations lies, interpolated
 * within its bucket as Prometheus' `histogram_quantile` does: undefined without
 * observations, the highest bound when it lies above all of them.
 */
export function quantile(histogram: BucketCounts, q: number): number | undefined {
  const { bounds, counts } = histogram;
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0 || bounds.length === 0) return undefined;
  const rank = q * total;
  let seen = 0;
  for (let i = 0; i < bounds.length; i++) {
    const count = counts[i]!;
    if (seen + count >= rank && count > 0) {
      const low = i === 0 ? 0 : bounds[i - 1]!;
      return low + (bounds[i]! - low) * ((rank - seen) / count);
    }
    seen += count;
  }
  return bounds.at(-1);
}
