import type { MetricSettings } from "@weft/xds/metric-settings";

/** What a person says of the metrics that are told of a workload's calls. */
export type MetricOptions = MetricSettings;

type Bootstrap = { readonly layered_runtime?: object; readonly stats_eviction_interval?: string };

/** The same in the words of a bootstrap, for a sidecar that counts by itself. */
export function metricsBootstrap({ maxSeries, seriesIdleMs, hasNativeHistograms }: MetricOptions): Bootstrap {
  const runtime = {
    ...(maxSeries === undefined ? {} : { "weft.metrics.max_series": maxSeries }),
    ...(hasNativeHistograms ? { "weft.metrics.native_histograms": true } : {}),
  };
  const isEmpty = Object.keys(runtime).length === 0;
  return {
    ...(isEmpty ? {} : { layered_runtime: { layers: [{ name: "metrics", static_layer: runtime }] } }),
    ...(seriesIdleMs === undefined ? {} : { stats_eviction_interval: `${seriesIdleMs / 1_000}s` }),
  };
}
