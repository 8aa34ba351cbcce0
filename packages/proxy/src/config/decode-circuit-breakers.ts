import type { CircuitBreakers_Thresholds } from "@weft/xds/gen/envoy/config/cluster/v3/circuit_breaker_pb";
import { RoutingPriority } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import type { BreakerLimits, ClusterPlan } from "../cluster/cluster-plan.ts";

const defaultLimits: BreakerLimits = {
  maxConnections: 1024,
  maxPendingRequests: 1024,
  maxRequests: 1024,
  maxRetries: 3,
  retryBudgetPercent: 20,
  minRetryConcurrency: 3,
};

/** Read as no limit of its own: a configured retry budget takes its place, as in Envoy. */
const unlimited = 2 ** 32 - 1;

/** Decodes the limits of both routing priorities. */
export function decodeBreakers(thresholds: readonly CircuitBreakers_Thresholds[]): ClusterPlan["breakers"] {
  const of = (priority: RoutingPriority): BreakerLimits => {
    const limits = thresholds.find((threshold) => threshold.priority === priority);
    if (!limits) return defaultLimits;
    const budget = limits.retryBudget;
    const maxRetries = limits.maxRetries ?? defaultLimits.maxRetries;
    return {
      maxConnections: limits.maxConnections ?? defaultLimits.maxConnections,
      maxPendingRequests: limits.maxPendingRequests ?? defaultLimits.maxPendingRequests,
      maxRequests: limits.maxRequests ?? defaultLimits.maxRequests,
      maxRetries: budget ? unlimited : maxRetries,
      retryBudgetPercent: budget?.budgetPercent?.value ?? defaultLimits.retryBudgetPercent,
      // Without a budget of its own, the limit that was asked for is never undercut by the standing one.
      minRetryConcurrency: budget
        ? (budget.minRetryConcurrency ?? defaultLimits.minRetryConcurrency)
        : Math.max(maxRetries, defaultLimits.minRetryConcurrency),
    };
  };
  return { default: of(RoutingPriority.DEFAULT), high: of(RoutingPriority.HIGH) };
}
