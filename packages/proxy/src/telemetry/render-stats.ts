import { type ExpositionFormat, exposition } from "@weft/base/exposition";
import { Histogram, type MetricFamily, type MetricKind, type MoreLabel } from "@weft/base/metric-registry";
import { protobufExposition } from "@weft/base/protobuf-exposition";
import { type EnvoyStats, fillTemplate } from "./envoy-stats.ts";
import { type HistogramForm, histogramsJson, histogramText } from "./histogram-forms.ts";

/** One statistic as Envoy's `/stats` names it. */
export interface NamedStat {
  readonly name: string;
  readonly kind: MetricKind;
  readonly metric: number | Histogram;
}

/**
 * Envoy's statistics by their dotted names, sorted; metrics of other origin
 * (`istio_*`) are listed under the name Prometheus sees, labels appended.
 */
export function listStats(stats: EnvoyStats, filter?: (name: string) => boolean): NamedStat[] {
  const listed: NamedStat[] = [];
  for (const family of stats.registry.collect()) {
    for (const { labels, more, metric } of family.series) {
      const name = dottedName(stats, family, labels, more);
      if (filter && !filter(name)) continue;
      listed.push({ name, kind: family.kind, metric: metric instanceof Histogram ? metric : metric.value });
    }
  }
  return listed.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Which statistics are shown, and how. */
export interface StatsShape {
  /** Of the dotted names. */
  readonly filter?: ((name: string) => boolean) | undefined;
  /** Only these; undefined: all. */
  readonly kinds?: readonly MetricKind[] | undefined;
  readonly histograms?: HistogramForm;
}

/** Envoy's `/stats`: counters and gauges first, then histograms. */
export function renderStatsText(stats: EnvoyStats, shape: StatsShape = {}): string {
  const { numbers, histograms } = listApart(stats, shape);
  const form = shape.histograms ?? "summary";
  let text = "";
  for (const [name, value] of numbers) text += `${name}: ${value}\n`;
  for (const [name, histogram] of histograms) text += `${name}: ${histogramText(histogram, form)}\n`;
  return text;
}

/** Envoy's `/stats?format=json`. */
export function renderStatsJson(stats: EnvoyStats, shape: StatsShape = {}): string {
  const { numbers, histograms } = listApart(stats, shape);
  const entries: unknown[] = numbers.map(([name, value]) => ({ name, value }));
  if (histograms.length > 0) {
    entries.push({ histograms: histogramsJson(histograms, shape.histograms ?? "summary") });
  }
  return JSON.stringify({ stats: entries });
}

function listApart(stats: EnvoyStats, { filter, kinds }: StatsShape) {
  const numbers: [name: string, value: number][] = [];
  const histograms: [name: string, histogram: Histogram][] = [];
  for (const { name, kind, metric } of listStats(stats, filter)) {
    if (kinds && !kinds.includes(kind)) continue;
    if (typeof metric === "number") numbers.push([name, metric]);
    else histograms.push([name, metric]);
  }
  return { numbers, histograms };
}

/** Envoy's `/stats/prometheus`, piece by piece; `filter` is of the dotted names. */
export function statsExposition(
  stats: EnvoyStats,
  format: ExpositionFormat,
  filter?: (name: string) => boolean,
): Iterable<string> {
  return exposition(
    stats.registry,
    format,
    filter && ((family, labels) => filter(dottedName(stats, family, labels))),
  );
}

/** The same as messages, with native histograms where there are any. */
export function statsProtobuf(stats: EnvoyStats, filter?: (name: string) => boolean): Iterable<Buffer> {
  return protobufExposition(
    stats.registry,
    filter && ((family, labels) => filter(dottedName(stats, family, labels))),
  );
}

/** Envoy's name of a series; for metrics of other origin the name Prometheus sees, labels appended. */
export function dottedName(
  stats: EnvoyStats,
  family: MetricFamily,
  labels: readonly string[],
  more: readonly MoreLabel[] = [],
): string {
  const template = stats.templateOf(family.name);
  if (template) return fillTemplate(template, labels.map(withoutColons));
  if (labels.length === 0) return family.name;
  const pairs = [...family.labelNames.map((label, i): MoreLabel => [label, labels[i]!]), ...more];
  return `${family.name}{${pairs.map(([label, value]) => `${label}=${JSON.stringify(value)}`).join(",")}}`;
}

/** Envoy writes addresses in names as `127.0.0.1_8080`. */
function withoutColons(value: string): string {
  return value.replace(/:/g, "_");
}
