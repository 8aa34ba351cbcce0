import type { Counter, Gauge } from "@weft/base/metric-registry";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";
import { AnswerCounts } from "./answer-counts.ts";
import { AnswersByOrigin } from "./answers-by-origin.ts";
import type { ClusterStats } from "./cluster.ts";
import { ConnectionStats } from "./connection-stats.ts";

const scope = "cluster.{envoy_cluster_name}.";

const counters = {
  rqTotal: "upstream_rq_total",
  rqTimeout: "upstream_rq_timeout",
  rqPerTryTimeout: "upstream_rq_per_try_timeout",
  rqPerTryIdleTimeout: "upstream_rq_per_try_idle_timeout",
  rqRetry: "upstream_rq_retry",
  rqRetrySuccess: "upstream_rq_retry_success",
  rqRetryOverflow: "upstream_rq_retry_overflow",
  rqRetryLimitExceeded: "upstream_rq_retry_limit_exceeded",
  rqRetryBackoffExponential: "upstream_rq_retry_backoff_exponential",
  rqRetryBackoffRateLimited: "upstream_rq_retry_backoff_ratelimited",
  rqPendingTotal: "upstream_rq_pending_total",
  rqPendingOverflow: "upstream_rq_pending_overflow",
  rqPendingFailureEject: "upstream_rq_pending_failure_eject",
  rqRxReset: "upstream_rq_rx_reset",
  rqTxReset: "upstream_rq_tx_reset",
  rqCancelled: "upstream_rq_cancelled",
  redirectsFollowed: "upstream_internal_redirect_succeeded_total",
  redirectsPassed: "upstream_internal_redirect_failed_total",
  cxTotal: "upstream_cx_total",
  cxHttp1Total: "upstream_cx_http1_total",
  cxHttp2Total: "upstream_cx_http2_total",
  cxConnectFail: "upstream_cx_connect_fail",
  cxConnectTimeout: "upstream_cx_connect_timeout",
  cxConnectAttemptsExceeded: "upstream_cx_connect_attempts_exceeded",
  cxOverflow: "upstream_cx_overflow",
  cxIdleTimeout: "upstream_cx_idle_timeout",
  cxMaxRequests: "upstream_cx_max_requests",
  cxMaxDurationReached: "upstream_cx_max_duration_reached",
  cxDestroyRemote: "upstream_cx_destroy_remote",
  cxDestroyLocal: "upstream_cx_destroy_local",
  cxRxBytes: "upstream_cx_rx_bytes_total",
  cxTxBytes: "upstream_cx_tx_bytes_total",
  cxNoneHealthy: "upstream_cx_none_healthy",
} as const;

const gauges = {
  rqActive: "upstream_rq_active",
  rqPendingActive: "upstream_rq_pending_active",
  cxActive: "upstream_cx_active",
} as const;

/** What the cluster itself counts, beside what the request path counts in `ClusterStats`. */
export interface MembershipStats {
  readonly total: Gauge;
  readonly healthy: Gauge;
  readonly degraded: Gauge;
  readonly excluded: Gauge;
  readonly change: Counter;
  readonly updateAttempt: Counter;
  readonly updateSuccess: Counter;
  readonly updateFailure: Counter;
  readonly updateEmpty: Counter;
  readonly healthyPanic: Counter;
  readonly subsetsSelected: Counter;
  readonly subsetsFallback: Counter;
  readonly subsetsFallbackPanic: Counter;
}

/** All of Envoy's `cluster.<name>.*` series that are kept here, resolved once. */
export interface AllClusterStats {
  readonly request: ClusterStats;
  readonly membership: MembershipStats;
  /** Endpoints that got the transport of this name. */
  transportMatches(name: string): Counter;
  /** The circuit breakers' `*_open` gauges of one priority. */
  breakerOpen(priority: "default" | "high", name: string): Gauge;
}

export function createClusterStats(stats: EnvoyStats, statName: string): AllClusterStats {
  const counter = (name: string) => stats.counter(scope + name, statName);
  const gauge = (name: string) => stats.gauge(scope + name, statName);
  let connections: ConnectionStats | undefined;
  const request: ClusterStats = {
    ...mapValues(counters, counter),
    ...mapValues(gauges, gauge),
    answers: new AnswersByOrigin(stats, scope, statName),
    retriedAnswers: new AnswerCounts(stats, `${scope}retry.`, statName),
    rqTimeMs: stats.histogram(`${scope}upstream_rq_time`, statName),
    connections() {
      connections ??= new ConnectionStats(stats, scope, statName);
      return connections;
    },
  };
  return {
    request,
    membership: {
      total: gauge("membership_total"),
      healthy: gauge("membership_healthy"),
      degraded: gauge("membership_degraded"),
      excluded: gauge("membership_excluded"),
      change: counter("membership_change"),
      updateAttempt: counter("update_attempt"),
      updateSuccess: counter("update_success"),
      updateFailure: counter("update_failure"),
      updateEmpty: counter("update_empty"),
      healthyPanic: counter("lb_healthy_panic"),
      subsetsSelected: counter("lb_subsets_selected"),
      subsetsFallback: counter("lb_subsets_fallback"),
      subsetsFallbackPanic: counter("lb_subsets_fallback_panic"),
    },
    transportMatches: (name) => counter(`${name.replace(/[{}]/g, "_")}.total_match_count`),
    breakerOpen: (priority, name) => gauge(`circuit_breakers.${priority}.${name}_open`),
  };
}

function mapValues<K extends string, V>(
  names: Readonly<Record<K, string>>,
  make: (name: string) => V,
): Record<K, V> {
  const entries = Object.entries<string>(names).map(([key, name]) => [key, make(name)]);
  return Object.fromEntries(entries) as Record<K, V>;
}
