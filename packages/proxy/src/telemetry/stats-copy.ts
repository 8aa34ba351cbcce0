import {
  type Counter,
  type Exemplar,
  type Gauge,
  Histogram,
  type MetricKind,
  MetricRegistry,
  type MoreLabel,
} from "@weft/base/metric-registry";
import type { NativeCounts } from "@weft/base/native-buckets";
import { EnvoyStats } from "./envoy-stats.ts";

/** All series of one process's part, as plain data that can be sent to another. */
export type StatsCopy = readonly FamilyCopy[];

interface FamilyCopy {
  readonly name: string;
  readonly help: string;
  readonly kind: MetricKind;
  readonly labelNames: readonly string[];
  /** The dotted name, for Envoy's own statistics. */
  readonly template: string | undefined;
  readonly series: readonly SeriesCopy[];
}

type SeriesCopy = readonly [
  labels: readonly string[],
  value: number | HistogramCopy,
  more: readonly MoreLabel[] | undefined,
];

interface HistogramCopy {
  readonly bounds: readonly number[];
  readonly counts: Float64Array;
  readonly sum: number;
  readonly count: number;
  readonly exemplars: readonly (Exemplar | undefined)[] | undefined;
  readonly native: NativeCounts | undefined;
}

/** What the statistics say now, collectors having run. */
export function copyStats(stats: EnvoyStats): StatsCopy {
  return stats.registry.collect().map(({ name, help, kind, labelNames, series }) => ({
    name,
    help,
    kind,
    labelNames,
    template: stats.templateOf(name),
    series: Array.from(series, ({ labels, more, metric }): SeriesCopy => [labels, contentOf(metric), more]),
  }));
}

function contentOf(metric: Counter | Gauge | Histogram): number | HistogramCopy {
  if (!(metric instanceof Histogram)) return metric.value;
  const { bounds, counts, sum, count, exemplars, native } = metric;
  return { bounds, counts, sum, count, exemplars, native: native && { ...native } };
}

/** Gauges that count what each worker has for itself; of the others every worker says the same, or the worst is of interest. */
const countedApart = /(?:^|_)(?:cx|rq)(?:_\w+)?_active$|_buffered$|^envoy_server_total_connections$/;

/** One set of statistics for several workers: what they did together. */
export function addStats(copies: readonly StatsCopy[]): EnvoyStats {
  const registry = new MetricRegistry();
  registry.hasNativeHistograms = copies.some((copy) =>
    copy.some(({ series }) => series.some(([, value]) => typeof value !== "number" && value.native)),
  );
  const total = new EnvoyStats(registry);
  for (const copy of copies) {
    for (const { name, help, kind, labelNames, template, series } of copy) {
      if (template !== undefined) total.nameTemplate(name, template);
      for (const [labels, value, more = []] of series) {
        if (typeof value !== "number") {
          addHistogram(
            registry.histogram(name, help, value.bounds, labelNames).withMore(labels, more),
            value,
          );
        } else if (kind === "counter")
          registry.counter(name, help, labelNames).withMore(labels, more).value += value;
        else {
          const gauge = registry.gauge(name, help, labelNames).withMore(labels, more);
          gauge.value = countedApart.test(name) ? gauge.value + value : Math.max(gauge.value, value);
        }
      }
    }
  }
  return total;
}

function addHistogram(into: Histogram, { counts, sum, count, exemplars, native }: HistogramCopy): void {
  counts.forEach((value, i) => {
    into.counts[i]! += value;
  });
  into.sum += sum;
  into.count += count;
  if (native) into.native?.merge(native);
  exemplars?.forEach((exemplar, i) => {
    into.exemplars ??= [];
    if (exemplar && !(into.exemplars[i] && into.exemplars[i].epochMs > exemplar.epochMs)) {
      into.exemplars[i] = exemplar;
    }
  });
}
