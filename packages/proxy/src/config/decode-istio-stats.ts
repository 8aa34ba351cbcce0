import type { IstioMetricOverride, IstioStatsSettings } from "../filters/istio-stats-plan.ts";
import type { Exchange } from "../layer/exchange.ts";
import { decodeExpression, type ExpressionContext } from "./decode-expression.ts";
import { at, atKey, type Issues } from "./issues.ts";
import { readKeys } from "./json-fields.ts";

type Json = Readonly<Record<string, unknown>>;

const settingNames = ["disable_host_header_fallback", "metrics", "tcp_reporting_duration"] as const;
const metricNames = ["name", "tags_to_remove", "drop", "dimensions"] as const;
/** As Istio's. */
const defaultReportingMs = 5_000;
const unknown = "unknown";

/** Decodes `stats.PluginConfig`, which travels as plain JSON inside a TypedStruct; keys in either spelling. */
export function decodeIstioStats(config: Json, path: string, context: ExpressionContext): IstioStatsSettings {
  const { issues } = context;
  const settings = readKeys(config, settingNames, path, issues);
  const metrics = settings.get("metrics") ?? [];
  if (!Array.isArray(metrics)) issues.add(at(path, "metrics"), "expected a list");
  const dimensions = new Dimensions(context);
  const reporting = at(path, "tcp_reporting_duration");
  return {
    isHostHeaderFallbackDisabled: settings.get("disable_host_header_fallback") === true,
    tcpReportingMs: reportingMs(settings.get("tcp_reporting_duration"), reporting, issues),
    overrides: (Array.isArray(metrics) ? metrics : []).map((metric: unknown, i) =>
      decodeMetric(metric, `${at(path, "metrics")}[${i}]`, dimensions, issues),
    ),
    dimensions: dimensions.readers,
  };
}

function reportingMs(value: unknown, path: string, issues: Issues): number {
  if (value === undefined) return defaultReportingMs;
  const seconds = /^(\d+(?:\.\d+)?)s$/.exec(String(value))?.[1];
  const ms = Number(seconds) * 1_000;
  if (!(ms >= 100)) issues.add(path, `${JSON.stringify(value)} is no such time`, 'at least "0.1s"');
  return ms;
}

/** Expressions of all metrics, each compiled and evaluated once. */
class Dimensions {
  readonly #context: ExpressionContext;
  readonly #places = new Map<string, number>();
  readonly readers: ((exchange: Exchange) => string)[] = [];

  constructor(context: ExpressionContext) {
    this.#context = context;
  }

  place(expression: string, path: string): number {
    const known = this.#places.get(expression);
    if (known !== undefined) return known;
    const program = decodeExpression(expression, path, this.#context, true);
    if (program && !["string", "int", "double", "bool"].includes(program.type)) {
      this.#context.issues.add(path, `gives ${program.type}, which is no label`);
    }
    const place = this.readers.length;
    this.readers.push((exchange) => {
      const value = program?.evaluate(exchange);
      return value === undefined ? unknown : String(value);
    });
    this.#places.set(expression, place);
    return place;
  }
}

function decodeMetric(
  metric: unknown,
  path: string,
  dimensions: Dimensions,
  issues: Issues,
): IstioMetricOverride {
  if (typeof metric !== "object" || metric === null) {
    issues.add(path, "expected a mapping");
    return { metric: "", isDropped: false, tagsToRemove: [], tags: [] };
  }
  const fields = readKeys(metric as Json, metricNames, path, issues);
  const removed = fields.get("tags_to_remove") ?? [];
  const areTags = Array.isArray(removed) && removed.every((tag) => typeof tag === "string");
  if (!areTags) issues.add(at(path, "tags_to_remove"), "expected a list of names");
  const place = at(path, "dimensions");
  const tags = Object.entries(fields.get("dimensions") ?? {}).map(([name, expression]) => {
    const where = atKey(place, name);
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) issues.add(where, "is not a label's name");
    return { name, dimension: dimensions.place(String(expression), where) };
  });
  return {
    metric: String(fields.get("name") ?? ""),
    isDropped: fields.get("drop") === true,
    tagsToRemove: areTags ? (removed as readonly string[]) : [],
    tags,
  };
}
