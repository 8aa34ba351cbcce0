import type { OutlierDetection } from "@weft/xds/gen/envoy/config/cluster/v3/outlier_detection_pb";
import type { OutlierPlan } from "../cluster/cluster-plan.ts";
import { timeoutMs } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";

/** Decodes outlier detection with Envoy's defaults. */
export function decodeOutlier(outlier: OutlierDetection, path: string, issues: Issues): OutlierPlan {
  const baseEjectionMs = timeoutMs(outlier.baseEjectionTime, 30_000, at(path, "base_ejection_time"), issues);
  const enforcing = (value: number | undefined, fallback: number, name: string) =>
    percent(value, fallback, at(path, name), issues);
  return {
    intervalMs: timeoutMs(outlier.interval, 10_000, at(path, "interval"), issues),
    baseEjectionMs,
    maxEjectionMs: Math.max(
      baseEjectionMs,
      timeoutMs(outlier.maxEjectionTime, 300_000, at(path, "max_ejection_time"), issues),
    ),
    maxEjectionPercent: enforcing(outlier.maxEjectionPercent, 10, "max_ejection_percent"),
    consecutive5xx: outlier.consecutive5xx ?? 5,
    enforcingConsecutive5xx: enforcing(outlier.enforcingConsecutive5xx, 100, "enforcing_consecutive_5xx"),
    consecutiveGatewayFailure: outlier.consecutiveGatewayFailure ?? 5,
    enforcingConsecutiveGatewayFailure: enforcing(
      outlier.enforcingConsecutiveGatewayFailure,
      0,
      "enforcing_consecutive_gateway_failure",
    ),
    alwaysEjectsOneHost: outlier.alwaysEjectOneHost ?? false,
    maxEjectionJitterMs: timeoutMs(
      outlier.maxEjectionTimeJitter,
      0,
      at(path, "max_ejection_time_jitter"),
      issues,
    ),
    rates: {
      successRateMinimumHosts: outlier.successRateMinimumHosts ?? 5,
      successRateRequestVolume: outlier.successRateRequestVolume ?? 100,
      successRateStdevFactor: (outlier.successRateStdevFactor ?? 1900) / 1000,
      failurePercentageThreshold: enforcing(
        outlier.failurePercentageThreshold,
        85,
        "failure_percentage_threshold",
      ),
      failurePercentageMinimumHosts: outlier.failurePercentageMinimumHosts ?? 5,
      failurePercentageRequestVolume: outlier.failurePercentageRequestVolume ?? 50,
    },
    enforcingSuccessRate: enforcing(outlier.enforcingSuccessRate, 100, "enforcing_success_rate"),
    enforcingLocalOriginSuccessRate: enforcing(
      outlier.enforcingLocalOriginSuccessRate,
      100,
      "enforcing_local_origin_success_rate",
    ),
    enforcingFailurePercentage: enforcing(
      outlier.enforcingFailurePercentage,
      0,
      "enforcing_failure_percentage",
    ),
    enforcingFailurePercentageLocalOrigin: enforcing(
      outlier.enforcingFailurePercentageLocalOrigin,
      0,
      "enforcing_failure_percentage_local_origin",
    ),
    releasesOnCheck: outlier.successfulActiveHealthCheckUnejectHost ?? true,
    splitExternalLocalOriginErrors: outlier.splitExternalLocalOriginErrors,
    consecutiveLocalOriginFailure: outlier.consecutiveLocalOriginFailure ?? 5,
    enforcingConsecutiveLocalOriginFailure: enforcing(
      outlier.enforcingConsecutiveLocalOriginFailure,
      100,
      "enforcing_consecutive_local_origin_failure",
    ),
  };
}

function percent(value: number | undefined, fallback: number, path: string, issues: Issues): number {
  if (value !== undefined && value > 100) issues.add(path, `${value} is above 100`);
  return value ?? fallback;
}
