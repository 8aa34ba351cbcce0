import {
  type Exemplar,
  Histogram,
  type MetricFamily,
  type MetricRegistry,
  type Series,
} from "./metric-registry.ts";

/** Whether the series of these labels is shown. */
export type SeriesFilter = (family: MetricFamily, labels: readonly string[]) => boolean;

/** Prometheus' text format 0.0.4, or OpenMetrics 1.0, which has exemplars. */
export type ExpositionFormat = "text" | "openmetrics";

/** And what alone has native histograms: messages, not text. */
export type MetricsFormat = ExpositionFormat | "protobuf";

export const contentTypes: Readonly<Record<MetricsFormat, string>> = {
  protobuf: "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
  text: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/**
 * The format that an `accept` field prefers: OpenMetrics only where it is asked
 * for by name, and not less than text.
 */
export function negotiateFormat(accept: string | undefined): ExpositionFormat {
  const { openMetrics, text } = weightsIn(accept);
  return openMetrics > 0 && openMetrics >= text ? "openmetrics" : "text";
}

/** Whether messages are preferred to either. */
export function prefersProtobuf(accept: string | undefined): boolean {
  const { protobuf, openMetrics, text } = weightsIn(accept);
  return protobuf > 0 && protobuf >= openMetrics && protobuf >= text;
}

function weightsIn(accept: string | undefined) {
  let openMetrics = 0;
  let text = 0;
  let protobuf = 0;
  for (const part of (accept ?? "").slice(0, 4_096).split(",")) {
    const [type = "", ...parameters] = part.split(";").map((word) => word.trim().toLowerCase());
    const q = parameters.find((parameter) => parameter.startsWith("q="));
    const weight = q === undefined ? 1 : Number(q.slice(2));
    if (!(weight > 0)) continue;
    if (type === "application/openmetrics-text") {
      const version = parameters.find((parameter) => parameter.startsWith("version="));
      if (version === undefined || /^version=(0\.0\.1|1\.0\.0)$/.test(version)) {
        openMetrics = Math.max(openMetrics, weight);
      }
    } else if (type === "application/vnd.google.protobuf") {
      const isOurs = ["proto=io.prometheus.client.metricfamily", "encoding=delimited"];
      if (isOurs.every((wanted) => parameters.includes(wanted))) protobuf = Math.max(protobuf, weight);
    } else if (type === "text/plain" || type === "text/*") text = Math.max(text, weight);
  }
  return { openMetrics, text, protobuf };
}

/**
 * A registry in one of the formats, a piece for each series so that whoever
 * writes it may do so in turns; a family none of whose series are shown is left
 * out. A series costs its labels once, whenever it is first shown.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 * @see https://github.com/OpenObservability/OpenMetrics/blob/main/specification/OpenMetrics.md
 */
export function* exposition(
  registry: MetricRegistry,
  format: ExpositionFormat,
  isShown?: SeriesFilter,
): Generator<string, void> {
  const families = registry.collect();
  const names = new Set(families.map(({ name }) => name));
  for (const family of families) {
    let isFirst = true;
    for (const series of family.series) {
      if (isShown && !isShown(family, series.labels)) continue;
      const head = isFirst ? headOf(family, format, names) : "";
      isFirst = false;
      yield head + seriesText(family, series, format === "openmetrics");
    }
  }
  if (format === "openmetrics") yield "# EOF\n";
}

/** OpenMetrics has counters whose samples end in `_total` only: others have no type there, and keep their names. */
function headOf(
  { name, kind, help }: MetricFamily,
  format: ExpositionFormat,
  names: ReadonlySet<string>,
): string {
  const isCounter = format === "openmetrics" && kind === "counter";
  const short = name.replace(/_total$/, "");
  const isTotal = isCounter && short !== name && !names.has(short);
  const family = isTotal ? short : name;
  const type = isCounter && !isTotal ? "unknown" : kind;
  const told = help.replace(/\\/g, "\\\\").replace(/\n/g, "\\n");
  const quoted = format === "openmetrics" ? told.replace(/"/g, '\\"') : told;
  return `${help === "" ? "" : `# HELP ${family} ${quoted}\n`}# TYPE ${family} ${type}\n`;
}

const labelTexts = new WeakMap<Series, string>();

/** `a="1",b="2"` */
function labelsOf({ labelNames }: MetricFamily, series: Series): string {
  let text = labelTexts.get(series);
  if (text === undefined) {
    const pairs = labelNames.map((label, i) => pair(label, series.labels[i]!));
    text = [...pairs, ...(series.more ?? []).map(([label, value]) => pair(label, value))].join(",");
    labelTexts.set(series, text);
  }
  return text;
}

function pair(label: string, value: string): string {
  if (!/[\\"\n]/.test(value)) return `${label}="${value}"`;
  return `${label}="${value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n")}"`;
}

function seriesText(family: MetricFamily, series: Series, hasExemplars: boolean): string {
  const { name } = family;
  const { metric } = series;
  const labels = labelsOf(family, series);
  if (!(metric instanceof Histogram)) {
    return labels === "" ? `${name} ${metric.value}\n` : `${name}{${labels}} ${metric.value}\n`;
  }
  const before = `${name}_bucket{${labels}${labels === "" ? "" : ","}le="`;
  const { bounds, counts, exemplars, sum, count } = metric;
  let text = "";
  let cumulative = 0;
  for (let i = 0; i < counts.length; i++) {
    cumulative += counts[i]!;
    text += `${before}${i < bounds.length ? bounds[i] : "+Inf"}"} ${cumulative}`;
    const exemplar = hasExemplars ? exemplars?.[i] : undefined;
    text += exemplar ? `${exemplarText(exemplar)}\n` : "\n";
  }
  const braces = labels === "" ? "" : `{${labels}}`;
  return `${text}${name}_sum${braces} ${sum}\n${name}_count${braces} ${count}\n`;
}

function exemplarText({ traceId, value, epochMs }: Exemplar): string {
  return ` # {trace_id="${traceId}"} ${value} ${epochMs / 1_000}`;
}
