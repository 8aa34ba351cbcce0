import type { Clock } from "@weft/base/clock";
import { type BucketCounts, type KeptMetric, keptLabels, type Sample } from "./sample.ts";

export interface MetricHistoryOptions {
  readonly clock: Clock;
  /** How far back windows reach. Default 120 s. */
  readonly maxAgeMs?: number;
  /** Exports that come faster than this replace the newest snapshot instead of adding one. Default 1.5 s. */
  readonly minSpacingMs?: number;
  /** Series kept per workload; the rest are counted as dropped. Default 2,000. */
  readonly maxSeries?: number;
  /** Workloads whose metrics are kept. Default 20,000. */
  readonly maxExporters?: number;
}

/** One series over a window: what it counted, and what it says now. */
export interface SeriesWindow {
  readonly sample: Sample;
  /** Growth within the window; a restarted counter grows from 0. */
  readonly increase: number;
  readonly bucketIncrease?: BucketCounts;
}

/** One workload over a window; `elapsedMs` is the true distance of the two snapshots compared. */
export interface ExporterWindow {
  readonly exporter: string;
  readonly elapsedMs: number;
  readonly series: readonly SeriesWindow[];
}

interface Snapshot {
  readonly atMs: number;
  readonly samples: ReadonlyMap<string, Sample>;
}

/**
 * A short history of what each workload exported, bounded in time, series and
 * workloads. Snapshots share the samples that did not change, so that an idle
 * series costs nothing however long the history.
 */
export class MetricHistory {
  readonly #clock: Clock;
  readonly #maxAgeMs: number;
  readonly #minSpacingMs: number;
  readonly #maxSeries: number;
  readonly #maxExporters: number;
  /** In order of their last export: the first is the one to forget. */
  readonly #exporters = new Map<string, Snapshot[]>();
  #droppedSeries = 0;

  constructor(options: MetricHistoryOptions) {
    this.#clock = options.clock;
    this.#maxAgeMs = options.maxAgeMs ?? 120_000;
    this.#minSpacingMs = options.minSpacingMs ?? 1_500;
    this.#maxSeries = options.maxSeries ?? 2_000;
    this.#maxExporters = options.maxExporters ?? 20_000;
  }

  /** Series refused since the start, because a workload had too many. */
  get droppedSeries(): number {
    return this.#droppedSeries;
  }

  /** Takes one export of a workload; it replaces what that workload said before. */
  record(exporter: string, samples: Iterable<Sample>): void {
    const ring = this.#exporters.get(exporter) ?? [];
    const next = this.#merge(samples, ring.at(-1)?.samples);
    const atMs = this.#clock.monotonicMs();
    if (ring.length >= 2 && ring.at(-1)!.atMs - ring.at(-2)!.atMs < this.#minSpacingMs) ring.pop();
    ring.push({ atMs, samples: next });
    while (ring.length > 2 && ring[1]!.atMs < atMs - this.#maxAgeMs) ring.shift();
    this.#exporters.delete(exporter);
    this.#exporters.set(exporter, ring);
    if (this.#exporters.size > this.#maxExporters) {
      this.#exporters.delete(this.#exporters.keys().next().value!);
    }
  }

  forget(exporter: string): void {
    this.#exporters.delete(exporter);
  }

  /** What each workload said last of a gauge without labels. */
  *newest(metric: KeptMetric): Iterable<readonly [exporter: string, value: number]> {
    const key = seriesKey({ metric, labels: {} });
    for (const [exporter, ring] of this.#exporters) {
      const sample = ring.at(-1)?.samples.get(key);
      if (sample) yield [exporter, sample.value];
    }
  }

  /** What each workload said last, by series: the same objects as long as it says the same. */
  *latest(): Iterable<readonly [exporter: string, samples: ReadonlyMap<string, Sample>]> {
    for (const [exporter, ring] of this.#exporters) yield [exporter, ring.at(-1)!.samples];
  }

  /** Every workload that exported within the window, compared with itself one window ago. */
  windows(windowMs: number): readonly ExporterWindow[] {
    const nowMs = this.#clock.monotonicMs();
    const windows: ExporterWindow[] = [];
    for (const [exporter, ring] of this.#exporters) {
      const newest = ring.at(-1)!;
      if (newest.atMs < nowMs - windowMs) continue;
      const before = ring.findLast((snapshot) => snapshot.atMs <= newest.atMs - windowMs) ?? ring[0]!;
      windows.push({ exporter, elapsedMs: newest.atMs - before.atMs, series: compare(before, newest) });
    }
    return windows;
  }

  #merge(samples: Iterable<Sample>, before: ReadonlyMap<string, Sample> | undefined): Map<string, Sample> {
    const merged = new Map<string, Sample>();
    for (const sample of samples) {
      const key = seriesKey(sample);
      const same = merged.get(key);
      if (same) merged.set(key, addSamples(same, sample));
      else if (merged.size < this.#maxSeries) merged.set(key, sample);
      else this.#droppedSeries += 1;
    }
    for (const [key, sample] of merged) {
      const old = before?.get(key);
      if (old && old.value === sample.value && haveSameBounds(old.buckets, sample.buckets))
        merged.set(key, old);
    }
    return merged;
  }
}

function seriesKey(sample: Pick<Sample, "metric" | "labels">): string {
  return [sample.metric, ...keptLabels.map((label) => sample.labels[label] ?? "")].join("\u0000");
}

function addSamples(a: Sample, b: Sample): Sample {
  const value = a.value + b.value;
  if (!a.buckets || !b.buckets || !haveSameBounds(a.buckets, b.buckets)) return { ...a, value };
  return { ...a, value, buckets: addBuckets(a.buckets, b.buckets) };
}

/** Adds two histograms of the same bounds; of different ones the first is kept. */
export function addBuckets(a: BucketCounts, b: BucketCounts): BucketCounts {
  if (!haveSameBounds(a, b)) return a;
  return { bounds: a.bounds, counts: a.counts.map((count, i) => count + b.counts[i]!) };
}

function haveSameBounds(a: BucketCounts | undefined, b: BucketCounts | undefined): boolean {
  if (a === b) return true;
  if (!a || !b || a.bounds.length !== b.bounds.length) return false;
  return a.bounds.every((bound, i) => bound === b.bounds[i]);
}

function compare(before: Snapshot, after: Snapshot): SeriesWindow[] {
  const series: SeriesWindow[] = [];
  const isFirst = before === after;
  for (const [key, sample] of after.samples) {
    const old = isFirst ? sample : before.samples.get(key);
    const hasRestarted = old !== undefined && sample.value < old.value;
    const base = hasRestarted ? undefined : old;
    series.push({
      sample,
      increase: sample.value - (base?.value ?? 0),
      bucketIncrease: sample.buckets && subtract(sample.buckets, base?.buckets),
    });
  }
  return series;
}

function subtract(after: BucketCounts, before: BucketCounts | undefined): BucketCounts {
  if (!before || !haveSameBounds(after, before)) return after;
  return {
    bounds: after.bounds,
    counts: after.counts.map((count, i) => Math.max(0, count - before.counts[i]!)),
  };
}
