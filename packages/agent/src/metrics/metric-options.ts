/** What a person says of the metrics that are told of a workload's calls. */
export interface MetricOptions {
  /** Series of one of Istio's metrics; what is more counts together. Default 1,000. */
  readonly maxSeries?: number;
  /** Series of requests that have not changed for so long are forgotten. Default one hour. */
  readonly seriesIdleMs?: number;
  /** Whether a Prometheus that takes them is given native histograms. */
  readonly hasNativeHistograms?: boolean;
}

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
