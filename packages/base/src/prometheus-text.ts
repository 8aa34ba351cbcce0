import { Histogram, type MetricFamily, type MetricRegistry } from "./metric-registry.ts";

/** Whether the series of these labels is shown. */
export type SeriesFilter = (family: MetricFamily, labels: readonly string[]) => boolean;

/**
 * Renders a registry in the Prometheus text exposition format 0.0.4; a family
 * none of whose series are shown is left out.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function renderPrometheusText(registry: MetricRegistry, isShown?: SeriesFilter): string {
  const lines: string[] = [];
  for (const family of registry.collect()) renderFamily(family, lines, isShown);
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

function renderFamily(family: MetricFamily, lines: string[], isShown: SeriesFilter | undefined): void {
  const { name, labelNames } = family;
  let isFirst = true;
  for (const { labels, more = [], metric } of family.series) {
    if (isShown && !isShown(family, labels)) continue;
    if (isFirst) {
      if (family.help)
        lines.push(`# HELP ${name} ${family.help.replace(/\\/g, "\\\\").replace(/\n/g, "\\n")}`);
      lines.push(`# TYPE ${name} ${family.kind}`);
      isFirst = false;
    }
    const pairs = labelNames.map((label, i) => `${label}="${escapeLabelValue(labels[i]!)}"`);
    for (const [label, value] of more) pairs.push(`${label}="${escapeLabelValue(value)}"`);
    if (metric instanceof Histogram) {
      let cumulative = 0;
      for (let i = 0; i < metric.counts.length; i++) {
        cumulative += metric.counts[i]!;
        const bound = i < metric.bounds.length ? String(metric.bounds[i]) : "+Inf";
        lines.push(`${name}_bucket{${[...pairs, `le="${bound}"`].join(",")}} ${cumulative}`);
      }
      const suffix = pairs.length > 0 ? `{${pairs.join(",")}}` : "";
      lines.push(`${name}_sum${suffix} ${metric.sum}`, `${name}_count${suffix} ${metric.count}`);
    } else {
      lines.push(
        pairs.length > 0 ? `${name}{${pairs.join(",")}} ${metric.value}` : `${name} ${metric.value}`,
      );
    }
  }
}

function escapeLabelValue(value: string): string {
  if (!/[\\"\n]/.test(value)) return value;
  return value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
}
