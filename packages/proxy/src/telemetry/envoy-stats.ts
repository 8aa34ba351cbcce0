import type { Counter, Gauge, Histogram, MetricFamily, MetricRegistry } from "@weft/base/metric-registry";

/**
 * Upper bounds, in milliseconds or bytes, of every histogram: Envoy's defaults,
 * which Istio's metrics have too, so that users' dashboards keep working.
 */
export const histogramBounds: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000,
  1_800_000, 3_600_000,
];

/**
 * Envoy's statistics on our registry. One template gives both names of a series:
 *
 * `cluster.{envoy_cluster_name}.upstream_rq_total` is
 * `cluster.web.upstream_rq_total` in `/stats` and
 * `envoy_cluster_upstream_rq_total{envoy_cluster_name="web"}` in Prometheus.
 *
 * Series are resolved when a listener, cluster or filter is built; counting is
 * an addition on the object returned.
 */
export class EnvoyStats {
  readonly registry: MetricRegistry;
  readonly #templates = new Map<string, string>();
  readonly #names = new Map<string, { readonly name: string; readonly labels: readonly string[] }>();

  constructor(registry: MetricRegistry) {
    this.registry = registry;
  }

  counter(template: string, ...labels: string[]): Counter {
    return this.#family(template, "counter").with(...labels) as Counter;
  }

  gauge(template: string, ...labels: string[]): Gauge {
    return this.#family(template, "gauge").with(...labels) as Gauge;
  }

  histogram(template: string, ...labels: string[]): Histogram {
    return this.#family(template, "histogram").with(...labels) as Histogram;
  }

  /** Forgets every series whose first label is `label` with this value: what they counted is gone. */
  forget(label: string, value: string): void {
    for (const family of this.registry.families) {
      if (family.labelNames[0] === label && family.name.startsWith("envoy_")) family.removeByFirst(value);
    }
  }

  /** All counters begin anew; gauges and histograms go on. */
  resetCounters(): void {
    for (const { kind, series } of this.registry.families) {
      if (kind === "counter") for (const { metric } of series) (metric as Counter).value = 0;
    }
  }

  /** The dotted template a family was made from, or undefined when it is not one of Envoy's. */
  templateOf(familyName: string): string | undefined {
    return this.#templates.get(familyName);
  }

  /** Says which template a family was made from, where it was made elsewhere. */
  nameTemplate(familyName: string, template: string): void {
    this.#templates.set(familyName, template);
  }

  #family(template: string, kind: "counter" | "gauge" | "histogram"): MetricFamily {
    let parsed = this.#names.get(template);
    if (!parsed) {
      parsed = parseTemplate(template);
      this.#names.set(template, parsed);
      this.#templates.set(parsed.name, template);
    }
    const { name, labels } = parsed;
    if (kind === "counter") return this.registry.counter(name, "", labels) as unknown as MetricFamily;
    if (kind === "gauge") return this.registry.gauge(name, "", labels) as unknown as MetricFamily;
    return this.registry.histogram(name, "", histogramBounds, labels) as unknown as MetricFamily;
  }
}

/** Puts label values where the template names them; one that is empty leaves its place out. */
export function fillTemplate(template: string, values: readonly string[]): string {
  let next = 0;
  return template.replace(/\{[a-z_]+\}(\.?)/g, (_, dot: string) => {
    const value = values[next++] ?? "";
    return value === "" ? "" : value + dot;
  });
}

function parseTemplate(template: string): { name: string; labels: string[] } {
  const labels = [...template.matchAll(/\{([a-z_]+)\}/g)].map((match) => match[1]!);
  const bare = template
    .replace(/\{[a-z_]+\}/g, "")
    .replace(/\.{2,}/g, ".")
    .replace(/[._]+$/, "");
  return { name: `envoy_${bare.replace(/[^a-zA-Z0-9_]/g, "_")}`, labels };
}
