import type { MetricRegistry } from "./metric-registry.ts";

/** Shows how often labels were looked up that found no room in their metric, and count as `overflow`. */
export function tellOverflows(registry: MetricRegistry): void {
  registry.onCollect(() => {
    for (const { name, overflowed } of [...registry.families]) {
      if (overflowed === 0) continue;
      registry
        .counter("weft_metric_series_overflowed_total", "Labels that found no series of their own", [
          "metric",
        ])
        .with(name).value = overflowed;
    }
  });
}
