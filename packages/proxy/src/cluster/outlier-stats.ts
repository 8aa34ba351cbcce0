import type { Counter, Gauge } from "@weft/base/metric-registry";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";

/** Why an endpoint was found to be an outlier, by the names of Envoy's statistics. */
export type OutlierCause =
  | "consecutive_5xx"
  | "consecutive_gateway_failure"
  | "consecutive_local_origin_failure"
  | "success_rate"
  | "local_origin_success_rate"
  | "failure_percentage"
  | "failure_percentage_local_origin";

const causes: readonly OutlierCause[] = [
  "consecutive_5xx",
  "consecutive_gateway_failure",
  "consecutive_local_origin_failure",
  "success_rate",
  "local_origin_success_rate",
  "failure_percentage",
  "failure_percentage_local_origin",
];

/** Envoy's `cluster.<name>.outlier_detection.*`. */
export interface OutlierStats {
  readonly active: Gauge;
  readonly enforcedTotal: Counter;
  readonly overflow: Counter;
  readonly detected: Readonly<Record<OutlierCause, Counter>>;
  readonly enforced: Readonly<Record<OutlierCause, Counter>>;
}

export function outlierStats(stats: EnvoyStats, statName: string): OutlierStats {
  const base = "cluster.{envoy_cluster_name}.outlier_detection.ejections_";
  const byCause = (kind: string) =>
    Object.fromEntries(causes.map((cause) => [cause, stats.counter(`${base}${kind}_${cause}`, statName)]));
  return {
    active: stats.gauge(`${base}active`, statName),
    enforcedTotal: stats.counter(`${base}enforced_total`, statName),
    overflow: stats.counter(`${base}overflow`, statName),
    detected: byCause("detected") as OutlierStats["detected"],
    enforced: byCause("enforced") as OutlierStats["enforced"],
  };
}
