import { exposition, type SeriesFilter } from "./exposition.ts";
import type { MetricRegistry } from "./metric-registry.ts";

/** A registry in the Prometheus text exposition format 0.0.4, all of it at once. */
export function renderPrometheusText(registry: MetricRegistry, isShown?: SeriesFilter): string {
  let text = "";
  for (const piece of exposition(registry, "text", isShown)) text += piece;
  return text;
}
