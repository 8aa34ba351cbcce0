import { Histogram, type MetricFamily, type Series } from "@weft/base/metric-registry";
import { type EnvoyStats, fillTemplate } from "./envoy-stats.ts";
import { dottedName } from "./render-stats.ts";

/** Statistics as a statsd server takes them: labels in the name, or as tags of DogStatsD. */
export interface StatsdFormat {
  readonly kind: "statsd" | "dogstatsd";
  /** Before every name. */
  readonly prefix: string;
}

/**
 * What statsd servers are told at every interval: what counters have gained,
 * what gauges are, and how long things took.
 *
 * Times come by bucket, one line for all of an interval's in it, which stands
 * for so many by its sample rate: a busy proxy sends as many lines as an idle
 * one. What never counted anything is left out, as in Envoy.
 */
export class StatsdLines {
  readonly #format: StatsdFormat;
  readonly #keeps: ((name: string) => boolean) | undefined;
  /** What was told last, by name and tags; only what still exists. */
  #told = new Map<string, number | Float64Array>();

  /** `keeps` says by dotted names which are told; undefined: all. */
  constructor(format: StatsdFormat, keeps?: (name: string) => boolean) {
    this.#format = format;
    this.#keeps = keeps;
  }

  /** The lines since the last call. */
  next(stats: EnvoyStats): readonly string[] {
    const lines: string[] = [];
    const told = new Map<string, number | Float64Array>();
    for (const family of stats.registry.collect()) {
      const template = stats.templateOf(family.name);
      for (const series of family.series) {
        if (this.#keeps?.(dottedName(stats, family, series.labels, series.more)) === false) continue;
        const { name, tags } = this.#nameOf(family, template, series);
        const key = `${name}${tags}`;
        const before = this.#told.get(key);
        const { metric } = series;
        if (metric instanceof Histogram) {
          if (metric.count === 0) continue;
          for (const [value, count] of timesSince(metric, before as Float64Array | undefined)) {
            lines.push(
              `${name}:${value}|ms${count === 1 ? "" : `|@${Number((1 / count).toPrecision(6))}`}${tags}`,
            );
          }
          told.set(key, Float64Array.from(metric.counts));
          continue;
        }
        const { value } = metric;
        if (value === 0 && before === undefined) continue;
        const isCounter = family.kind === "counter";
        // A counter that is lower than it was has begun anew.
        const gained = value >= Number(before ?? 0) ? value - Number(before ?? 0) : value;
        // A sign would make a gauge a change of one.
        const shown = isCounter ? gained : Number(Math.max(0, value).toFixed(3));
        lines.push(`${name}:${shown}|${isCounter ? "c" : "g"}${tags}`);
        told.set(key, value);
      }
    }
    this.#told = told;
    return lines;
  }

  #nameOf(
    family: MetricFamily,
    template: string | undefined,
    { labels, more = [] }: Series,
  ): { readonly name: string; readonly tags: string } {
    const { kind, prefix } = this.#format;
    if (kind === "statsd") {
      const own = template
        ? fillTemplate(template, labels.map(safe))
        : [family.name, ...labels.map(safe), ...more.map(([, value]) => safe(value))].join(".");
      return { name: `${prefix}.${own}`, tags: "" };
    }
    const name = template ? bareName(template) : family.name;
    const pairs = family.labelNames.map(
      (label, i) => [label.replace(/^envoy_/, "envoy."), labels[i]!] as const,
    );
    const tags = [...pairs, ...more].filter(([, value]) => value !== "");
    if (tags.length === 0) return { name: `${prefix}.${name}`, tags: "" };
    return {
      name: `${prefix}.${name}`,
      tags: `|#${tags.map(([label, value]) => `${label}:${safe(value)}`).join(",")}`,
    };
  }
}

/** A template without what its labels fill in. */
function bareName(template: string): string {
  return template
    .replace(/\{[a-z_]+\}/g, "")
    .replace(/\.{2,}/g, ".")
    .replace(/[._]+$/, "");
}

/** Without what means something in a line. */
function safe(text: string): string {
  return text.replace(/[:|@#,\s]/g, "_");
}

/** A time for each bucket that has gained some, and how many. */
function* timesSince(
  { bounds, counts }: Histogram,
  before: Float64Array | undefined,
): Iterable<readonly [value: number, count: number]> {
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]! - (before?.[i] ?? 0);
    if (count <= 0) continue;
    const low = i === 0 ? 0 : bounds[i - 1]!;
    yield [Math.floor((low + (bounds[i] ?? low)) / 2), count];
  }
}

/** Lines together in datagrams of at most so many bytes; one that is longer alone. 0 sends each alone. */
export function packLines(lines: readonly string[], maxBytes: number): readonly string[] {
  const packed: string[] = [];
  let current = "";
  for (const line of lines) {
    if (current !== "" && Buffer.byteLength(current) + 1 + Buffer.byteLength(line) <= maxBytes) {
      current += `\n${line}`;
      continue;
    }
    if (current !== "") packed.push(current);
    current = line;
  }
  if (current !== "") packed.push(current);
  return packed;
}
