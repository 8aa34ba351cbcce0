import type { Counter, Gauge, Histogram, MetricRegistry } from "@weft/base/metric-registry";

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
  readonly cxSslTotal: Counter;
  readonly cxUpgradesTotal: Counter;
  readonly cxUpgradesActive: Gauge;
  readonly rqTotal: Counter;
  readonly rqHttp1Total: Counter;
  readonly rqActive: Gauge;
  readonly rqCompleted: Counter;
  readonly rq1xx: Counter;
  readonly rq2xx: Counter;
  readonly rq3xx: Counter;
  readonly rq4xx: Counter;
  readonly rq5xx: Counter;
  readonly rqTimeMs: Histogram;
  readonly rqTimeout: Counter;
  readonly rqHeaderTimeout: Counter;
  readonly rqIdleTimeout: Counter;
  readonly rqRxReset: Counter;
  readonly rqTxReset: Counter;
  readonly rqWsOnNonWsRoute: Counter;
  readonly noRoute: Counter;
  readonly noCluster: Counter;
  readonly rqDirectResponse: Counter;
  readonly rqRedirect: Counter;
}

/** Envoy's `listener.<address>.*`. */
export interface ListenerStats {
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly cxDestroy: Counter;
  readonly cxOverflow: Counter;
  readonly preCxTimeout: Counter;
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
  readonly cxRxBytes: Counter;
  readonly cxTxBytes: Counter;
  readonly idleTimeout: Counter;
}

/** Finds the statistics of a listener, a connection manager or a TCP proxy by its name; equal names share series. */
export interface DownstreamStats {
  http(statPrefix: string): HttpStats;
  listener(address: string): ListenerStats;
  tcp(statPrefix: string): TcpStats;
}

const timeBoundsMs = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000,
  3600000,
];

/** Registers the series under the names Envoy's Prometheus endpoint uses (`envoy_http_downstream_rq_total` …). */
export function createDownstreamStats(registry: MetricRegistry): DownstreamStats {
  const httpLabel = ["envoy_http_conn_manager_prefix"];
  const listenerLabel = ["envoy_listener_address"];
  const tcpLabel = ["envoy_tcp_prefix"];
  const http = (name: string, help: string) => registry.counter(`envoy_http_${name}`, help, httpLabel);
  const httpGauge = (name: string, help: string) => registry.gauge(`envoy_http_${name}`, help, httpLabel);
  const listener = (name: string, help: string) =>
    registry.counter(`envoy_listener_${name}`, help, listenerLabel);
  const tcp = (name: string, help: string) => registry.counter(`envoy_tcp_${name}`, help, tcpLabel);
  const classLabels = [...httpLabel, "envoy_response_code_class"];
  const byClass = registry.counter("envoy_http_downstream_rq_xx", "Responses by status class", classLabels);
  const httpFamilies = {
    cxTotal: http("downstream_cx_total", "Connections accepted"),
    cxActive: httpGauge("downstream_cx_active", "Connections open"),
    cxDestroy: http("downstream_cx_destroy", "Connections closed"),
    cxDestroyRemote: http("downstream_cx_destroy_remote", "Connections closed by the client"),
    cxDestroyLocal: http("downstream_cx_destroy_local", "Connections closed here"),
    cxProtocolError: http("downstream_cx_protocol_error", "Connections that broke the protocol"),
    cxIdleTimeout: http("downstream_cx_idle_timeout", "Connections closed because idle"),
    cxMaxDurationReached: http("downstream_cx_max_duration_reached", "Connections closed because of age"),
    cxDrainClose: http("downstream_cx_drain_close", "Connections closed by draining"),
    cxRxBytes: http("downstream_cx_rx_bytes_total", "Bytes received"),
    cxTxBytes: http("downstream_cx_tx_bytes_total", "Bytes sent"),
    cxSslTotal: http("downstream_cx_ssl_total", "TLS connections accepted"),
    cxUpgradesTotal: http("downstream_cx_upgrades_total", "Upgraded connections"),
    cxUpgradesActive: httpGauge("downstream_cx_upgrades_active", "Upgraded connections open"),
    rqTotal: http("downstream_rq_total", "Requests received"),
    rqHttp1Total: http("downstream_rq_http1_total", "HTTP/1 requests received"),
    rqActive: httpGauge("downstream_rq_active", "Requests in progress"),
    rqCompleted: http("downstream_rq_completed", "Requests answered"),
    rqTimeMs: registry.histogram(
      "envoy_http_downstream_rq_time",
      "Request time in ms",
      timeBoundsMs,
      httpLabel,
    ),
    rqTimeout: http("downstream_rq_timeout", "Requests that took too long to arrive"),
    rqHeaderTimeout: http("downstream_rq_header_timeout", "Request heads that took too long to arrive"),
    rqIdleTimeout: http("downstream_rq_idle_timeout", "Streams closed because idle"),
    rqRxReset: http("downstream_rq_rx_reset", "Requests the client broke off"),
    rqTxReset: http("downstream_rq_tx_reset", "Requests broken off here"),
    rqWsOnNonWsRoute: http("downstream_rq_ws_on_non_ws_route", "Upgrades refused by the route"),
    noRoute: http("no_route", "Requests no route matched"),
    noCluster: http("no_cluster", "Requests routed to an unknown cluster"),
    rqDirectResponse: http("rq_direct_response", "Requests answered by the route itself"),
    rqRedirect: http("rq_redirect", "Requests redirected"),
  };
  const listenerFamilies = {
    cxTotal: listener("downstream_cx_total", "Connections accepted"),
    cxActive: registry.gauge("envoy_listener_downstream_cx_active", "Connections open", listenerLabel),
    cxDestroy: listener("downstream_cx_destroy", "Connections closed"),
    cxOverflow: listener("downstream_cx_overflow", "Connections refused at the connection limit"),
    preCxTimeout: listener("downstream_pre_cx_timeout", "Connections that timed out while inspected"),
    preCxActive: registry.gauge(
      "envoy_listener_downstream_pre_cx_active",
      "Connections inspected",
      listenerLabel,
    ),
    noFilterChainMatch: listener("no_filter_chain_match", "Connections no filter chain matched"),
    sslHandshake: listener("ssl_handshake", "TLS handshakes completed"),
    sslConnectionError: listener("ssl_connection_error", "TLS handshakes failed"),
    sslFailVerifyNoCert: listener("ssl_fail_verify_no_cert", "TLS clients without the required certificate"),
    sslFailVerifyError: listener("ssl_fail_verify_error", "TLS clients whose certificate did not verify"),
    sslFailVerifySan: listener("ssl_fail_verify_san", "TLS clients whose names did not match"),
  };
  const tcpFamilies = {
    cxTotal: tcp("downstream_cx_total", "Connections proxied"),
    cxNoRoute: tcp("downstream_cx_no_route", "Connections without a cluster"),
    cxRxBytes: tcp("downstream_cx_rx_bytes_total", "Bytes received"),
    cxTxBytes: tcp("downstream_cx_tx_bytes_total", "Bytes sent"),
    idleTimeout: tcp("idle_timeout", "Connections closed because idle"),
  };
  return {
    http: memoize((prefix) => ({
      ...resolve(httpFamilies, prefix),
      rq1xx: byClass.with(prefix, "1"),
      rq2xx: byClass.with(prefix, "2"),
      rq3xx: byClass.with(prefix, "3"),
      rq4xx: byClass.with(prefix, "4"),
      rq5xx: byClass.with(prefix, "5"),
    })),
    listener: memoize((address) => resolve(listenerFamilies, address)),
    tcp: memoize((prefix) => resolve(tcpFamilies, prefix)),
  };
}

type Families = Record<string, { with(...labels: string[]): Counter | Gauge | Histogram }>;
type Resolved<F extends Families> = { [K in keyof F]: ReturnType<F[K]["with"]> };

function resolve<F extends Families>(families: F, label: string): Resolved<F> {
  const entries = Object.entries(families).map(([name, family]) => [name, family.with(label)]);
  return Object.fromEntries(entries) as Resolved<F>;
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
