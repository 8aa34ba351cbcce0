import type { Counter, Gauge, Histogram } from "@weft/base/metric-registry";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";

/** Answers that were completed, all of them and by class. */
export interface AnswerClasses {
  readonly completed: Counter;
  /** `1xx` to `5xx`. */
  readonly classes: readonly Counter[];
}

/** Envoy's `http.<stat_prefix>.*`, resolved once per connection manager. */
export interface HttpStats {
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly cxDestroy: Counter;
  readonly cxDestroyRemote: Counter;
  readonly cxDestroyLocal: Counter;
  readonly cxProtocolError: Counter;
  readonly cxIdleTimeout: Counter;
  readonly cxMaxDurationReached: Counter;
  readonly cxDrainClose: Counter;
  readonly cxRxBytes: Counter;
  readonly cxTxBytes: Counter;
  readonly cxLengthMs: Histogram;
  /** Those that ended with a request not over, by who ended them. */
  readonly cxDestroyActive: Counter;
  readonly cxDestroyLocalActive: Counter;
  readonly cxDestroyRemoteActive: Counter;
  readonly cxMaxRequestsReached: Counter;
  readonly cxSslTotal: Counter;
  readonly cxSslActive: Gauge;
  readonly cxHttp1Total: Counter;
  readonly cxHttp1Active: Gauge;
  readonly cxHttp2Total: Counter;
  readonly cxHttp2Active: Gauge;
  readonly cxUpgradesTotal: Counter;
  readonly cxUpgradesActive: Gauge;
  readonly rqTotal: Counter;
  readonly rqHttp1Total: Counter;
  readonly rqHttp2Total: Counter;
  readonly rqActive: Gauge;
  readonly answers: AnswerClasses;
  /** Its body was more than a filter may hold. */
  readonly rqTooLarge: Counter;
  readonly rqNonRelativePath: Counter;
  readonly rqFailedPathNormalization: Counter;
  readonly rqRedirectedToNormalizedPath: Counter;
  /** Those that reached the router. */
  readonly routedTotal: Counter;
  readonly rqResetAfterResponse: Counter;
  readonly rqTimeMs: Histogram;
  readonly rqTimeout: Counter;
  readonly rqHeaderTimeout: Counter;
  readonly rqIdleTimeout: Counter;
  readonly rqOverloadClose: Counter;
  readonly cxOverloadDisableKeepalive: Counter;
  readonly rqMaxDurationReached: Counter;
  readonly rqRxReset: Counter;
  readonly rqTxReset: Counter;
  readonly rqWsOnNonWsRoute: Counter;
  readonly noRoute: Counter;
  readonly noCluster: Counter;
  readonly rqDirectResponse: Counter;
  readonly rqRedirect: Counter;
  readonly redirectBadLocation: Counter;
  readonly redirectUnsafeScheme: Counter;
  readonly redirectTooMany: Counter;
  readonly redirectNoRoute: Counter;
  readonly redirectPredicate: Counter;
}

/** Envoy's `listener.<address>.*`. */
export interface ListenerStats {
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly cxLengthMs: Histogram;
  /** Of them, those this worker takes. */
  readonly workerCxTotal: Counter;
  readonly workerCxActive: Gauge;
  readonly cxDestroy: Counter;
  readonly cxOverflow: Counter;
  readonly globalCxOverflow: Counter;
  readonly cxOverloadReject: Counter;
  readonly tlsTimeout: Counter;
  readonly preCxTimeout: Counter;
  /** Clients that left while their connection was looked at. */
  readonly preCxRemoteClose: Counter;
  readonly preCxActive: Gauge;
  readonly noFilterChainMatch: Counter;
  readonly sslHandshake: Counter;
  readonly sslConnectionError: Counter;
  readonly sslFailVerifyNoCert: Counter;
  readonly sslFailVerifyError: Counter;
  readonly sslFailVerifySan: Counter;
}

/** Envoy's `tcp.<stat_prefix>.*`. */
export interface TcpStats {
  readonly cxTotal: Counter;
  readonly cxNoRoute: Counter;
  readonly onDemandAttempt: Counter;
  readonly onDemandFound: Counter;
  readonly onDemandMissing: Counter;
  readonly onDemandTimeout: Counter;
  readonly cxRxBytes: Counter;
  readonly cxTxBytes: Counter;
  readonly cxActive: Gauge;
  readonly idleTimeout: Counter;
  readonly maxDurationReached: Counter;
}

/** Finds the statistics of a listener, a connection manager or a TCP proxy by its name; equal names share series. */
export interface DownstreamStats {
  http(statPrefix: string): HttpStats;
  /** Of one connection manager of a listener. */
  answers(address: string, statPrefix: string): AnswerClasses;
  listener(address: string): ListenerStats;
  tcp(statPrefix: string): TcpStats;
}

const httpScope = "http.{envoy_http_conn_manager_prefix}.";
const listenerScope = "listener.{envoy_listener_address}.";
const workerScope = `${listenerScope}worker_{envoy_worker_id}.`;
const tcpScope = "tcp.{envoy_tcp_prefix}.";

const httpCounters = {
  cxTotal: "downstream_cx_total",
  cxDestroy: "downstream_cx_destroy",
  cxDestroyRemote: "downstream_cx_destroy_remote",
  cxDestroyLocal: "downstream_cx_destroy_local",
  cxProtocolError: "downstream_cx_protocol_error",
  cxIdleTimeout: "downstream_cx_idle_timeout",
  cxMaxDurationReached: "downstream_cx_max_duration_reached",
  cxDrainClose: "downstream_cx_drain_close",
  cxRxBytes: "downstream_cx_rx_bytes_total",
  cxTxBytes: "downstream_cx_tx_bytes_total",
  cxDestroyActive: "downstream_cx_destroy_active_rq",
  cxDestroyLocalActive: "downstream_cx_destroy_local_active_rq",
  cxDestroyRemoteActive: "downstream_cx_destroy_remote_active_rq",
  cxMaxRequestsReached: "downstream_cx_max_requests_reached",
  cxSslTotal: "downstream_cx_ssl_total",
  cxHttp1Total: "downstream_cx_http1_total",
  cxHttp2Total: "downstream_cx_http2_total",
  cxUpgradesTotal: "downstream_cx_upgrades_total",
  rqTotal: "downstream_rq_total",
  rqHttp1Total: "downstream_rq_http1_total",
  rqHttp2Total: "downstream_rq_http2_total",
  rqTooLarge: "downstream_rq_too_large",
  rqNonRelativePath: "downstream_rq_non_relative_path",
  rqFailedPathNormalization: "downstream_rq_failed_path_normalization",
  rqRedirectedToNormalizedPath: "downstream_rq_redirected_with_normalized_path",
  routedTotal: "rq_total",
  rqResetAfterResponse: "rq_reset_after_downstream_response_started",
  rqTimeout: "downstream_rq_timeout",
  rqHeaderTimeout: "downstream_rq_header_timeout",
  rqIdleTimeout: "downstream_rq_idle_timeout",
  rqOverloadClose: "downstream_rq_overload_close",
  cxOverloadDisableKeepalive: "downstream_cx_overload_disable_keepalive",
  rqMaxDurationReached: "downstream_rq_max_duration_reached",
  rqRxReset: "downstream_rq_rx_reset",
  rqTxReset: "downstream_rq_tx_reset",
  rqWsOnNonWsRoute: "downstream_rq_ws_on_non_ws_route",
  noRoute: "no_route",
  noCluster: "no_cluster",
  rqDirectResponse: "rq_direct_response",
  rqRedirect: "rq_redirect",
  redirectBadLocation: "passthrough_internal_redirect_bad_location",
  redirectUnsafeScheme: "passthrough_internal_redirect_unsafe_scheme",
  redirectTooMany: "passthrough_internal_redirect_too_many_redirects",
  redirectNoRoute: "passthrough_internal_redirect_no_route",
  redirectPredicate: "passthrough_internal_redirect_predicate",
} as const;

const httpGauges = {
  cxActive: "downstream_cx_active",
  cxSslActive: "downstream_cx_ssl_active",
  cxHttp1Active: "downstream_cx_http1_active",
  cxHttp2Active: "downstream_cx_http2_active",
  cxUpgradesActive: "downstream_cx_upgrades_active",
  rqActive: "downstream_rq_active",
} as const;

const listenerCounters = {
  cxTotal: "downstream_cx_total",
  cxDestroy: "downstream_cx_destroy",
  cxOverflow: "downstream_cx_overflow",
  globalCxOverflow: "downstream_global_cx_overflow",
  cxOverloadReject: "downstream_cx_overload_reject",
  tlsTimeout: "downstream_cx_transport_socket_connect_timeout",
  preCxTimeout: "downstream_pre_cx_timeout",
  preCxRemoteClose: "downstream_listener_filter_remote_close",
  noFilterChainMatch: "no_filter_chain_match",
  sslHandshake: "ssl.handshake",
  sslConnectionError: "ssl.connection_error",
  sslFailVerifyNoCert: "ssl.fail_verify_no_cert",
  sslFailVerifyError: "ssl.fail_verify_error",
  sslFailVerifySan: "ssl.fail_verify_san",
} as const;

const listenerGauges = { cxActive: "downstream_cx_active", preCxActive: "downstream_pre_cx_active" } as const;

const tcpCounters = {
  cxTotal: "downstream_cx_total",
  cxNoRoute: "downstream_cx_no_route",
  onDemandAttempt: "on_demand_cluster_attempt",
  onDemandFound: "on_demand_cluster_success",
  onDemandMissing: "on_demand_cluster_missing",
  onDemandTimeout: "on_demand_cluster_timeout",
  cxRxBytes: "downstream_cx_rx_bytes_total",
  cxTxBytes: "downstream_cx_tx_bytes_total",
  idleTimeout: "idle_timeout",
  maxDurationReached: "max_downstream_connection_duration",
} as const;

const tcpGauges = { cxActive: "downstream_cx_active" } as const;

/** Series under Envoy's names on `stats`, resolved when a listener is built. */
export function createDownstreamStats(stats: EnvoyStats, worker = "0"): DownstreamStats {
  const counters = <K extends string>(names: Readonly<Record<K, string>>, scope: string, label: string) =>
    mapValues(names, (name) => stats.counter(scope + name, label));
  const gauges = <K extends string>(names: Readonly<Record<K, string>>, scope: string, label: string) =>
    mapValues(names, (name) => stats.gauge(scope + name, label));
  const answers = (scope: string, ...labels: string[]): AnswerClasses => ({
    completed: stats.counter(`${scope}downstream_rq_completed`, ...labels),
    classes: ["1", "2", "3", "4", "5"].map((digit) =>
      stats.counter(`${scope}downstream_rq_{envoy_response_code_class}xx`, ...labels, digit),
    ),
  });
  return {
    http: memoize((prefix) => ({
      ...counters(httpCounters, httpScope, prefix),
      ...gauges(httpGauges, httpScope, prefix),
      rqTimeMs: stats.histogram(`${httpScope}downstream_rq_time`, prefix),
      cxLengthMs: stats.histogram(`${httpScope}downstream_cx_length_ms`, prefix),
      answers: answers(httpScope, prefix),
    })),
    answers: (address, prefix) => answers(listenerScope + httpScope, address, prefix),
    listener: memoize((address) => ({
      cxLengthMs: stats.histogram(`${listenerScope}downstream_cx_length_ms`, address),
      workerCxTotal: stats.counter(`${workerScope}downstream_cx_total`, address, worker),
      workerCxActive: stats.gauge(`${workerScope}downstream_cx_active`, address, worker),
      ...counters(listenerCounters, listenerScope, address),
      ...gauges(listenerGauges, listenerScope, address),
    })),
    tcp: memoize((prefix) => ({
      ...counters(tcpCounters, tcpScope, prefix),
      ...gauges(tcpGauges, tcpScope, prefix),
    })),
  };
}

function mapValues<K extends string, V>(
  names: Readonly<Record<K, string>>,
  make: (name: string) => V,
): Record<K, V> {
  const entries = Object.entries<string>(names).map(([key, name]) => [key, make(name)]);
  return Object.fromEntries(entries) as Record<K, V>;
}

function memoize<T>(create: (name: string) => T): (name: string) => T {
  const made = new Map<string, T>();
  return (name) => {
    let value = made.get(name);
    if (value === undefined) {
      value = create(name);
      made.set(name, value);
    }
    return value;
  };
}
