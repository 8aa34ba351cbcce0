import type { Histogram } from "@weft/base/metric-registry";

/** How `/stats` shows histograms: as quantiles, or as buckets that do or do not count those before. */
export type HistogramForm = "summary" | "cumulative" | "disjoint";

export const histogramForms: readonly HistogramForm[] = ["summary", "cumulative", "disjoint"];

const quantiles = [0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1] as const;

/** What stands behind a histogram's name in Envoy's `/stats`. Intervals are not kept: the first number is of none. */
export function histogramText(histogram: Histogram, form: HistogramForm): string {
  if (histogram.count === 0) return "No recorded values";
  if (form === "summary") {
    return quantiles.map((q) => `P${q * 100}(nan,${trim(quantileOf(histogram, q))})`).join(" ");
  }
  return bucketsOf(histogram, form)
    .map(([bound, count]) => `B${shortest(bound)}(0,${count})`)
    .join(" ");
}

/** The entry for all histograms in Envoy's `/stats?format=json`. */
export function histogramsJson(
  histograms: readonly (readonly [name: string, histogram: Histogram])[],
  form: HistogramForm,
): unknown {
  if (form === "summary") {
    return {
      supported_quantiles: quantiles.map((q) => q * 100),
      computed_quantiles: histograms.map(([name, histogram]) => ({
        name,
        values: quantiles.map((q) => ({
          interval: null,
          cumulative: histogram.count === 0 ? null : quantileOf(histogram, q),
        })),
      })),
    };
  }
  return histograms.map(([name, histogram]) => ({
    name,
    buckets: bucketsOf(histogram, form).map(([bound, count]) => ({
      upper_bound: bound,
      interval: 0,
      cumulative: count,
    })),
  }));
}

/** The last bucket, which has no bound, is in neither form. */
function bucketsOf({ bounds, counts }: Histogram, form: HistogramForm): [bound: number, count: number][] {
  let before = 0;
  return bounds.map((bound, i) => {
    const count = counts[i]!;
    before += count;
    return [bound, form === "cumulative" ? before : count];
  });
}

/** Interpolated within its bucket; the last bucket has no end, so its lower bound is given. */
function quantileOf(histogram: Histogram, q: number): number {
  const target = q * histogram.count;
  let seen = 0;
  for (let i = 0; i < histogram.counts.length; i++) {
    const inBucket = histogram.counts[i]!;
    if (inBucket === 0) continue;
    if (seen + inBucket >= target) {
      const low = i === 0 ? 0 : histogram.bounds[i - 1]!;
      const high = histogram.bounds[i] ?? low;
      return low + ((high - low) * (target - seen)) / inBucket;
    }
    seen += inBucket;
  }
  return 0;
}

function trim(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** As C++ writes it: six digits, with an exponent from a million on. */
function shortest(value: number): string {
  const rounded = Number(value.toPrecision(6));
  if (rounded < 1e6) return `${rounded}`;
  const [mantissa, exponent] = rounded.toExponential().split("e+");
  return `${mantissa}e+${exponent!.padStart(2, "0")}`;
}
