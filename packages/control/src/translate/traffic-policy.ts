import { create } from "@bufbuild/protobuf";
import {
  type CircuitBreakers,
  CircuitBreakersSchema,
} from "@weft/xds/gen/envoy/config/cluster/v3/circuit_breaker_pb";
import {
  type OutlierDetection,
  OutlierDetectionSchema,
} from "@weft/xds/gen/envoy/config/cluster/v3/outlier_detection_pb";
import type { ConnectionPool, OutlierPolicy, PortPolicy } from "../model/traffic-policy.ts";
import { duration } from "./messages.ts";

/** As Istio: no limit but those that were written. */
const unlimited = 2 ** 32 - 1;

/**
 * Limits of concurrency. Retries have a budget relative to the requests in
 * flight, so that they cannot multiply an overload, unless a fixed limit was
 * written instead.
 */
export function circuitBreakers({ connectionPool: pool, retryBudget }: PortPolicy): CircuitBreakers {
  const budget =
    pool?.maxRetries === undefined || retryBudget
      ? {
          budgetPercent: { value: retryBudget?.percent ?? 20 },
          minRetryConcurrency: retryBudget?.minConcurrency ?? 3,
        }
      : undefined;
  return create(CircuitBreakersSchema, {
    thresholds: [
      {
        maxConnections: pool?.maxConnections || unlimited,
        maxPendingRequests: pool?.maxPendingRequests || unlimited,
        maxRequests: pool?.maxRequests || unlimited,
        maxRetries: pool?.maxRetries ?? unlimited,
        ...(budget ? { retryBudget: budget } : {}),
        trackRemaining: true,
      },
    ],
  });
}

/** By which a peer that is gone without a word is noticed. */
export function tcpKeepalive(pool: ConnectionPool | undefined) {
  if (!pool?.tcpKeepalive) return {};
  const { intervalSeconds, probes, timeSeconds } = pool.tcpKeepalive;
  return {
    upstreamConnectionOptions: {
      tcpKeepalive: {
        ...(probes === undefined ? {} : { keepaliveProbes: probes }),
        ...(timeSeconds === undefined ? {} : { keepaliveTime: timeSeconds }),
        ...(intervalSeconds === undefined ? {} : { keepaliveInterval: intervalSeconds }),
      },
    },
  };
}

/** Success-rate ejection stays off, as in Istio; a count of 0 switches its detector off. */
export function outlierDetection(outlier: OutlierPolicy | undefined): OutlierDetection | undefined {
  if (!outlier) return undefined;
  const { consecutive5xx, consecutiveGatewayErrors, consecutiveLocalOriginFailures } = outlier;
  return create(OutlierDetectionSchema, {
    enforcingSuccessRate: 0,
    ...(consecutive5xx === undefined
      ? {}
      : { consecutive5xx: consecutive5xx || 1, enforcingConsecutive5xx: consecutive5xx > 0 ? 100 : 0 }),
    ...(consecutiveGatewayErrors === undefined
      ? {}
      : {
          consecutiveGatewayFailure: consecutiveGatewayErrors || 1,
          enforcingConsecutiveGatewayFailure: consecutiveGatewayErrors > 0 ? 100 : 0,
        }),
    ...(outlier.splitsLocalOrigin
      ? {
          splitExternalLocalOriginErrors: true,
          consecutiveLocalOriginFailure: consecutiveLocalOriginFailures || 5,
          enforcingConsecutiveLocalOriginFailure: consecutiveLocalOriginFailures === 0 ? 0 : 100,
          enforcingLocalOriginSuccessRate: 0,
        }
      : {}),
    ...(outlier.intervalMs === undefined ? {} : { interval: duration(outlier.intervalMs) }),
    ...(outlier.baseEjectionMs === undefined
      ? {}
      : {
          baseEjectionTime: duration(outlier.baseEjectionMs),
          maxEjectionTime: duration(Math.max(outlier.baseEjectionMs, 300_000)),
        }),
    ...(outlier.maxEjectionPercent === undefined ? {} : { maxEjectionPercent: outlier.maxEjectionPercent }),
  });
}
