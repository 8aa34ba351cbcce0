import { type ExpositionFormat, exposition } from "@weft/base/exposition";
import { Histogram, type MetricFamily, type MoreLabel } from "@weft/base/metric-registry";
import { protobufExposition } from "@weft/base/protobuf-exposition";
import { type EnvoyStats, fillTemplate } from "./envoy-stats.ts";

/** One statistic as Envoy's `/stats` names it. */
export interface NamedStat {
  readonly name: string;
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
      listed.push({ name, metric: metric instanceof Histogram ? metric : metric.value });
    }
  }
  return listed.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Envoy's `/stats`: counters and gauges first, then histograms. */
export function renderStatsText(stats: EnvoyStats, filter?: (name: string) => boolean): string {
  const listed = listStats(stats, filter);
  let text = "";
  for (const { name, metric } of listed) if (typeof metric === "number") text += `${name}: ${metric}\n`;
  for (const { name, metric } of listed) {
    if (typeof metric === "number") continue;
    const values = quantiles.map((q) => `P${q * 100}(nan,${trim(quantileOf(metric, q))})`);
    text += `${name}: ${metric.count === 0 ? "No recorded values" : values.join(" ")}\n`;
  }
  return text;
}

/** Envoy's `/stats?format=json`. */
export function renderStatsJson(stats: EnvoyStats, filter?: (name: string) => boolean): string {
  const listed = listStats(stats, filter);
  const simple = listed.filter(({ metric }) => typeof metric === "number");
  const histograms = listed.filter(({ metric }) => typeof metric !== "number");
  const computed = histograms.map(({ name, metric }) => ({
    name,
    values: quantiles.map((q) => ({
      interval: null,
      cumulative: (metric as Histogram).count === 0 ? null : quantileOf(metric as Histogram, q),
    })),
  }));
  const entries: unknown[] = simple.map(({ name, metric }) => ({ name, value: metric }));
  if (computed.length > 0) {
    entries.push({
      histograms: { supported_quantiles: quantiles.map((q) => q * 100), computed_quantiles: computed },
    });
  }
  return JSON.stringify({ stats: entries });
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

const quantiles = [0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1] as const;

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

function dottedName(
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
