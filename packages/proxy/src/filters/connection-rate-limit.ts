import type { Clock } from "@weft/base/clock";
import type { NetworkFilter } from "../layer/network-filter.ts";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";

interface ConnectionRateLimitPlan {
  readonly name: string;
  readonly maxTokens: number;
  readonly tokensPerFill: number;
  readonly fillIntervalMs: number;
  readonly isEnabled: boolean;
}

/**
 * Refuses connections of a filter chain that come faster than its token bucket
 * fills.
 *
 * @see envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit
 */
export function createConnectionRateLimitFilter(
  plan: ConnectionRateLimitPlan,
  statPrefix: string,
  clock: Clock,
  stats: EnvoyStats,
): NetworkFilter {
  const { name, maxTokens, tokensPerFill, fillIntervalMs, isEnabled } = plan;
  const limited = stats.counter(
    "local_rate_limit.{envoy_local_network_ratelimit_prefix}.rate_limited",
    statPrefix,
  );
  let tokens = maxTokens;
  let filledMs = clock.monotonicMs();
  return {
    name,
    isAdmission: true,
    onConnection(connection) {
      if (!isEnabled) return true;
      const fills = Math.floor((clock.monotonicMs() - filledMs) / fillIntervalMs);
      if (fills > 0) {
        tokens = Math.min(maxTokens, tokens + fills * tokensPerFill);
        filledMs += fills * fillIntervalMs;
      }
      if (tokens === 0) {
        limited.value += 1;
        connection.terminationDetails = "local_ratelimit_close_over_limit";
        return false;
      }
      tokens -= 1;
      return true;
    },
  };
}
