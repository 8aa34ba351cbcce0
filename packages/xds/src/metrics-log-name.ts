import { accessLogMetrics } from "./access-log-metrics.ts";

/** What is changed of one metric that an agent counts from access logs. */
export interface CountedMetric {
  /** Without `istio_`. */
  readonly metric: string;
  readonly isDropped: boolean;
  readonly tagsToRemove: readonly string[];
  /** Labels, each by its place among the log's dimension tags. */
  readonly tags: readonly { readonly name: string; readonly dimension: number }[];
}

/** What the name of a log says: which side of calls it sees, and how they are counted. */
export interface MetricsLog {
  readonly direction: "inbound" | "outbound";
  readonly changes: readonly CountedMetric[];
}

const maxLength = 64 * 1024;

/**
 * The name of an access log that metrics are made from. It is said once for each
 * stream, so that what is changed of them costs an entry nothing.
 */
export function metricsLogName({ direction, changes }: MetricsLog): string {
  const name = accessLogMetrics.logNames[direction];
  return changes.length === 0 ? name : `${name} ${JSON.stringify(changes)}`;
}

/** Undefined where it is no such name. */
export function parseMetricsLogName(name: string): MetricsLog | undefined {
  const end = name.indexOf(" ");
  const word = end < 0 ? name : name.slice(0, end);
  const { logNames } = accessLogMetrics;
  const direction = (["inbound", "outbound"] as const).find((one) => logNames[one] === word);
  if (!direction || name.length > maxLength) return undefined;
  if (end < 0) return { direction, changes: [] };
  try {
    const changes: unknown = JSON.parse(name.slice(end + 1));
    return Array.isArray(changes) && changes.every(isChange) ? { direction, changes } : undefined;
  } catch {
    return undefined;
  }
}

function isChange(value: unknown): value is CountedMetric {
  const { metric, isDropped, tagsToRemove, tags } = (value ?? {}) as Partial<CountedMetric>;
  const areTags = Array.isArray(tags) && tags.every((tag) => isTag(tag));
  const areRemoved = Array.isArray(tagsToRemove) && tagsToRemove.every((tag) => typeof tag === "string");
  return typeof metric === "string" && typeof isDropped === "boolean" && areRemoved && areTags;
}

function isTag(tag: unknown): boolean {
  const { name, dimension } = (tag ?? {}) as { name?: unknown; dimension?: unknown };
  return typeof name === "string" && typeof dimension === "number";
}
