import type { IstioMetricOverride, IstioStatsPlan } from "../filters/istio-stats-plan.ts";
import { at, type Issues } from "./issues.ts";
import { readKeys } from "./json-fields.ts";

/** What a configuration may say of Istio's metrics; the rest is this proxy's own identity. */
export type IstioStatsSettings = Pick<IstioStatsPlan, "isHostHeaderFallbackDisabled" | "overrides">;

type Json = Readonly<Record<string, unknown>>;

const settingNames = ["disable_host_header_fallback", "metrics"] as const;
const metricNames = ["name", "tags_to_remove", "drop"] as const;

/** Decodes `stats.PluginConfig`, which travels as plain JSON inside a TypedStruct; keys in either spelling. */
export function decodeIstioStats(config: Json, path: string, issues: Issues): IstioStatsSettings {
  const settings = readKeys(config, settingNames, path, issues);
  const metrics = settings.get("metrics") ?? [];
  if (!Array.isArray(metrics)) issues.add(at(path, "metrics"), "expected a list");
  return {
    isHostHeaderFallbackDisabled: settings.get("disable_host_header_fallback") === true,
    overrides: (Array.isArray(metrics) ? metrics : []).map((metric: unknown, i) =>
      decodeMetric(metric, `${at(path, "metrics")}[${i}]`, issues),
    ),
  };
}

function decodeMetric(metric: unknown, path: string, issues: Issues): IstioMetricOverride {
  if (typeof metric !== "object" || metric === null) {
    issues.add(path, "expected a mapping");
    return { metric: "", isDropped: false, tagsToRemove: [] };
  }
  const fields = readKeys(metric as Json, metricNames, path, issues);
  const tags = fields.get("tags_to_remove") ?? [];
  const areTags = Array.isArray(tags) && tags.every((tag) => typeof tag === "string");
  if (!areTags) issues.add(at(path, "tags_to_remove"), "expected a list of names");
  return {
    metric: String(fields.get("name") ?? ""),
    isDropped: fields.get("drop") === true,
    tagsToRemove: areTags ? (tags as readonly string[]) : [],
  };
}
