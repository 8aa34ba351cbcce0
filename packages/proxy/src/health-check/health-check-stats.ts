import type { Counter, Gauge } from "@weft/base/metric-registry";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";

/** Envoy's `cluster.<name>.health_check.*`. */
export interface HealthCheckStats {
  readonly attempt: Counter;
  readonly success: Counter;
  readonly failure: Counter;
  readonly passiveFailure: Counter;
  readonly networkFailure: Counter;
  readonly healthy: Gauge;
  readonly degraded: Gauge;
}

export function healthCheckStats(stats: EnvoyStats, statName: string): HealthCheckStats {
  const base = "cluster.{envoy_cluster_name}.health_check.";
  const counter = (name: string) => stats.counter(base + name, statName);
  return {
    attempt: counter("attempt"),
    success: counter("success"),
    failure: counter("failure"),
    passiveFailure: counter("passive_failure"),
    networkFailure: counter("network_failure"),
    healthy: stats.gauge(`${base}healthy`, statName),
    degraded: stats.gauge(`${base}degraded`, statName),
  };
}
