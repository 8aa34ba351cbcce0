import type { OutlierDetection } from "@weft/xds/gen/envoy/config/cluster/v3/outlier_detection_pb";
import type { OutlierPlan } from "../cluster/cluster-plan.ts";
import { timeoutMs } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";

/** Decodes outlier detection with Envoy's defaults. */
export function decodeOutlier(outlier: OutlierDetection, path: string, issues: Issues): OutlierPlan {
  const baseEjectionMs = timeoutMs(outlier.baseEjectionTime, 30_000, at(path, "base_ejection_time"), issues);
  return {
    intervalMs: timeoutMs(outlier.interval, 10_000, at(path, "interval"), issues),
    baseEjectionMs,
    maxEjectionMs: Math.max(
      baseEjectionMs,
      timeoutMs(outlier.maxEjectionTime, 300_000, at(path, "max_ejection_time"), issues),
    ),
    maxEjectionPercent: percent(outlier.maxEjectionPercent, 10, at(path, "max_ejection_percent"), issues),
    consecutive5xx: outlier.consecutive5xx ?? 5,
    enforcingConsecutive5xx: percent(
      outlier.enforcingConsecutive5xx,
      100,
      at(path, "enforcing_consecutive_5xx"),
      issues,
    ),
    consecutiveGatewayFailure: outlier.consecutiveGatewayFailure ?? 5,
    enforcingConsecutiveGatewayFailure: percent(
      outlier.enforcingConsecutiveGatewayFailure,
      0,
      at(path, "enforcing_consecutive_gateway_failure"),
      issues,
    ),
    alwaysEjectsOneHost: outlier.alwaysEjectOneHost ?? false,
    releasesOnCheck: outlier.successfulActiveHealthCheckUnejectHost ?? true,
    splitExternalLocalOriginErrors: outlier.splitExternalLocalOriginErrors,
    consecutiveLocalOriginFailure: outlier.consecutiveLocalOriginFailure ?? 5,
    enforcingConsecutiveLocalOriginFailure: percent(
      outlier.enforcingConsecutiveLocalOriginFailure,
      100,
      at(path, "enforcing_consecutive_local_origin_failure"),
      issues,
    ),
  };
}

function percent(value: number | undefined, fallback: number, path: string, issues: Issues): number {
  if (value !== undefined && value > 100) issues.add(path, `${value} is above 100`);
  return value ?? fallback;
}
