import type { NetworkFilter } from "../layer/network-filter.ts";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";

interface ConnectionLimitPlan {
  readonly name: string;
  readonly maxConnections: number;
  /** How long a refused connection is kept waiting before it is closed. */
  readonly delayMs: number;
  readonly isEnabled: boolean;
}

/**
 * Refuses connections of a filter chain above its limit.
 *
 * @see envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit
 */
export function createConnectionLimitFilter(
  plan: ConnectionLimitPlan,
  statPrefix: string,
  stats: EnvoyStats,
): NetworkFilter {
  const { name, maxConnections, delayMs, isEnabled } = plan;
  const limited = stats.counter(
    "connection_limit.{envoy_connection_limit_prefix}.limited_connections",
    statPrefix,
  );
  const active = stats.gauge(
    "connection_limit.{envoy_connection_limit_prefix}.active_connections",
    statPrefix,
  );
  let open = 0;
  return {
    name,
    isAdmission: true,
    refusalDelayMs: delayMs,
    onConnection(connection) {
      if (isEnabled && open >= maxConnections) {
        limited.value += 1;
        connection.terminationDetails = "over_connection_limit";
        return false;
      }
      open += 1;
      active.value += 1;
      return true;
    },
    onDisconnect() {
      open -= 1;
      active.value -= 1;
    },
  };
}
