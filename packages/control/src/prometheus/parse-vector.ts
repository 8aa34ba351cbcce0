import type { BucketCounts } from "../telemetry/sample.ts";

/** One series of an instant vector: a number, or of a native histogram its buckets. */
export interface PrometheusSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Of a native histogram; `value` is how many there are then. */
  readonly buckets?: BucketCounts;
}

const maxMessage = 300;

/**
 * The series of what Prometheus answered to an instant query; those whose value
 * is no number (`NaN`, `+Inf`) are there as such.
 *
 * @throws Error with what Prometheus says, where it refused
 * @see https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
 */
export function parseVector(status: number, text: string): readonly PrometheusSeries[] {
  const answer = parse(text);
  if (answer.status !== "success") {
    const said = typeof answer.error === "string" ? `: ${oneLine(answer.error)}` : "";
    throw new Error(`it answered ${status}${said}`);
  }
  const { resultType, result } = recordOf(answer.data);
  if (resultType === "scalar") return [{ labels: {}, value: numberOf(result) }];
  if (resultType !== "vector" || !Array.isArray(result)) {
    throw new Error(`it answered with a ${oneLine(String(resultType))} in place of a vector`);
  }
  return result.map(seriesOf);
}

function seriesOf(entry: unknown): PrometheusSeries {
  const { metric, value, histogram } = recordOf(entry);
  const labels = Object.fromEntries(
    Object.entries(recordOf(metric)).map(([name, label]) => [name, String(label)]),
  );
  if (!Array.isArray(histogram)) return { labels, value: numberOf(value) };
  const { count, buckets } = recordOf(histogram[1]);
  return { labels, value: Number(count), buckets: bucketsOf(Array.isArray(buckets) ? buckets : []) };
}

/** Each is `[which ends belong to it, from, to, count]`; as ours are, from the end of the one before. */
function bucketsOf(buckets: readonly unknown[]): BucketCounts {
  const found = buckets.map((one) => (Array.isArray(one) ? one.slice(1, 4).map(Number) : []));
  const bounds: number[] = [];
  const counts: number[] = [];
  for (const [from = 0, to = 0, count = 0] of found) {
    if (to <= (bounds.at(-1) ?? 0) || !(count >= 0)) continue;
    if (from > (bounds.at(-1) ?? 0)) {
      bounds.push(from);
      counts.push(0);
    }
    bounds.push(to);
    counts.push(count);
  }
  return { bounds, counts: [...counts, 0] };
}

/** Of `[time, "value"]`. */
function numberOf(pair: unknown): number {
  const text = Array.isArray(pair) ? pair[1] : undefined;
  if (text === "+Inf") return Number.POSITIVE_INFINITY;
  if (text === "-Inf") return Number.NEGATIVE_INFINITY;
  return typeof text === "string" && text !== "" ? Number(text) : Number.NaN;
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    return recordOf(JSON.parse(text));
  } catch {
    return {};
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").slice(0, maxMessage);
}
