import type { BucketCounts } from "../telemetry/sample.ts";
import type { PrometheusSeries } from "./parse-vector.ts";

/** A histogram with labels of its own, its `le` series put together. */
export interface HistogramSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly buckets: BucketCounts;
}

/** Bounds of native histograms told apart; one of Istio's latencies has some two hundred. */
const maxBounds = 1_000;

/**
 * Histograms of `_bucket` series, which count all below their `le`, or of native
 * ones, all of the same bounds so that they can be added up.
 */
export function withBuckets(series: readonly PrometheusSeries[]): readonly HistogramSeries[] {
  return series.some(({ buckets }) => buckets) ? ofNative(series) : ofClassic(series);
}

function ofClassic(series: readonly PrometheusSeries[]): readonly HistogramSeries[] {
  const groups = Map.groupBy(series, ({ labels: { le: _, ...labels } }) => JSON.stringify(labels));
  return [...groups.values()].map((group) => {
    const { le: _, ...labels } = group[0]!.labels;
    const steps = group
      .map(({ labels: { le = "" }, value }) => ({ bound: le === "+Inf" ? Infinity : Number(le), value }))
      .filter(({ bound, value }) => !Number.isNaN(bound) && Number.isFinite(value))
      .sort((a, b) => a.bound - b.bound);
    const counts = steps.map(({ value }, i) => Math.max(0, value - (steps[i - 1]?.value ?? 0)));
    const bounds = steps.map(({ bound }) => bound).filter(Number.isFinite);
    if (counts.length === bounds.length) counts.push(0);
    return { labels, value: steps.at(-1)?.value ?? 0, buckets: { bounds, counts } };
  });
}

/** Bounds of native histograms are alike where their schemas are; of several each bound is kept. */
function ofNative(series: readonly PrometheusSeries[]): readonly HistogramSeries[] {
  const bounds = [...new Set(series.flatMap(({ buckets }) => buckets?.bounds ?? []))]
    .sort((a, b) => a - b)
    .slice(0, maxBounds);
  const indexes = new Map(bounds.map((bound, i) => [bound, i]));
  return series.flatMap(({ labels, value, buckets }) => {
    if (!buckets) return [];
    const counts = Array<number>(bounds.length + 1).fill(0);
    buckets.bounds.forEach((bound, i) => {
      counts[indexes.get(bound) ?? bounds.length]! += buckets.counts[i]!;
    });
    return { labels, value, buckets: { bounds, counts } };
  });
}
