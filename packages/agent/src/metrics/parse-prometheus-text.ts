/** One metric as scraped, its histogram buckets put together again. */
export interface ScrapedFamily {
  readonly name: string;
  readonly kind: "counter" | "gauge" | "histogram";
  readonly series: readonly ScrapedSeries[];
}

export interface ScrapedSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** Of a counter or gauge. */
  readonly value: number;
  readonly histogram?: ScrapedHistogram;
}

export interface ScrapedHistogram {
  /** Ascending, without +Inf. */
  readonly bounds: readonly number[];
  /** Per bucket, not cumulative; one longer than `bounds`. */
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
}

interface Building {
  readonly labels: Record<string, string>;
  value: number;
  buckets: { le: number; cumulative: number }[];
  sum: number;
  count: number;
}

const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?$/;
const pair = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"\s*,?\s*/gy;

/**
 * Reads the families whose name `accepts` takes from the Prometheus text format
 * 0.0.4. A line it can't read is left out, so that one odd series does not cost the rest.
 */
export function parsePrometheusText(text: string, accepts: (name: string) => boolean): ScrapedFamily[] {
  const kinds = new Map<string, ScrapedFamily["kind"]>();
  const families = new Map<string, Map<string, Building>>();
  for (const line of text.split("\n")) {
    if (line.startsWith("# TYPE ")) {
      const [name, kind] = line.slice(7).trim().split(/\s+/);
      if (name && accepts(name) && (kind === "counter" || kind === "gauge" || kind === "histogram")) {
        kinds.set(name, kind);
      }
      continue;
    }
    if (line === "" || line.startsWith("#")) continue;
    const match = sample.exec(line);
    if (!match) continue;
    const [, fullName, labelText = "", valueText] = match as unknown as [
      string,
      string,
      string | undefined,
      string,
    ];
    const [name, part] = familyOf(fullName, kinds);
    const kind = kinds.get(name);
    const labels = parseLabels(labelText);
    const value = parseValue(valueText);
    if (!kind || !labels || value === undefined) continue;
    const { le, ...rest } = labels;
    const own = kind === "histogram" ? rest : labels;
    const series = families.get(name) ?? new Map<string, Building>();
    families.set(name, series);
    const key = JSON.stringify(own);
    const building = series.get(key) ?? { labels: own, value: 0, buckets: [], sum: 0, count: 0 };
    series.set(key, building);
    if (part === "bucket" && le !== undefined) {
      building.buckets.push({ le: parseValue(le) ?? Number.NaN, cumulative: value });
    } else if (part === "sum") building.sum = value;
    else if (part === "count") building.count = value;
    else building.value = value;
  }
  return [...families].map(([name, series]) => {
    const kind = kinds.get(name)!;
    return { name, kind, series: [...series.values()].map((building) => finish(building, kind)) };
  });
}

function familyOf(
  fullName: string,
  kinds: ReadonlyMap<string, string>,
): [string, "value" | "bucket" | "sum" | "count"] {
  for (const part of ["bucket", "sum", "count"] as const) {
    const name = fullName.slice(0, -part.length - 1);
    if (fullName.endsWith(`_${part}`) && kinds.get(name) === "histogram") return [name, part];
  }
  return [fullName, "value"];
}

function parseLabels(text: string): Record<string, string> | undefined {
  const labels: Record<string, string> = {};
  pair.lastIndex = 0;
  let end = 0;
  for (let match = pair.exec(text); match; match = pair.exec(text)) {
    labels[match[1]!] = match[2]!.replace(/\\(.)/g, (_, escaped: string) =>
      escaped === "n" ? "\n" : escaped,
    );
    end = pair.lastIndex;
  }
  return end === text.length ? labels : undefined;
}

function parseValue(text: string): number | undefined {
  if (text === "+Inf" || text === "Inf") return Number.POSITIVE_INFINITY;
  if (text === "-Inf") return Number.NEGATIVE_INFINITY;
  const value = Number(text);
  return Number.isNaN(value) ? undefined : value;
}

function finish(building: Building, kind: ScrapedFamily["kind"]): ScrapedSeries {
  const { labels, value, sum, count } = building;
  if (kind !== "histogram") return { labels, value };
  const buckets = building.buckets.filter(({ le }) => Number.isFinite(le)).sort((a, b) => a.le - b.le);
  const counts = buckets.map(({ cumulative }, i) =>
    Math.max(0, cumulative - (buckets[i - 1]?.cumulative ?? 0)),
  );
  const belowLast = buckets.at(-1)?.cumulative ?? 0;
  return {
    labels,
    value: 0,
    histogram: {
      bounds: buckets.map(({ le }) => le),
      counts: [...counts, Math.max(0, count - belowLast)],
      sum,
      count,
    },
  };
}
