/**
 * What a data plane can do where it runs that not every one can, as its node
 * declares it in `client_features`. A control plane sends nothing that needs a feature to a
 * client that does not declare it.
 *
 * @see envoy.config.core.v3.Node
 */
export const clientFeature = {
  /** Takes `istio.stats` as a network filter, for the metrics of TCP connections. */
  istioStatsNetwork: "weft.istio-stats-network",
  /**
   * Has no Istio metrics of its own: its agent counts from access logs, which it
   * takes (`envoy.service.accesslog.v3`) on the socket that is also its secrets'.
   */
  accessLogMetrics: "weft.access-log-metrics",
  /**
   * Takes `auto_config` on a cluster some of whose endpoints have no TLS, and
   * speaks HTTP/1.1 there. Envoy refuses such a cluster.
   */
  negotiatedHttp: "weft.negotiated-http",
  /**
   * Asks for the cluster of a request or connection by name when it has none of
   * that name, beside a wildcard, and takes what that does not bring.
   */
  onDemandClusters: "weft.on-demand-clusters",
  /**
   * Asks for the virtual host of a request by name, where its route configuration
   * has `vhds` and says which there are (`weft.on_demand_hosts`).
   */
  onDemandHosts: "weft.on-demand-hosts",
  /**
   * Knows what decided about an answer that it makes itself, from
   * `filter_metadata["istio"].policies` of the listener, as `%DYNAMIC_METADATA(weft.explain)%`.
   */
  explainsReplies: "weft.explains-replies",
  /** Its machine has IPv6: it can bind `::`. */
  ipv6: "weft.ipv6",
} as const;
