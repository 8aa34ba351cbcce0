import type { MessageSupport } from "./message-support.ts";

/** What this proxy does with the messages of `cluster.v3`, `endpoint.v3` and upstream protocol options. */
export function clusterSupport(): Record<string, MessageSupport> {
  const p = "envoy.config.cluster.v3.";
  const e = "envoy.config.endpoint.v3.";
  const u = "envoy.extensions.upstreams.http.v3.";
  return {
    [`${p}Cluster`]: {
      implemented:
        "transport_socket_matches name alt_stat_name type eds_cluster_config connect_timeout per_connection_buffer_limit_bytes lb_policy load_assignment max_requests_per_connection circuit_breakers http2_protocol_options typed_extension_protocol_options cluster_type dns_refresh_rate dns_failure_refresh_rate dns_jitter respect_dns_ttl dns_lookup_family outlier_detection lb_subset_config original_dst_lb_config least_request_lb_config round_robin_lb_config ring_hash_lb_config maglev_lb_config load_balancing_policy common_lb_config health_checks ignore_health_on_host_removal close_connections_on_host_health_failure transport_socket metadata upstream_bind_config upstream_connection_options",
      harmless: {
        cleanup_interval: "unused original destinations are forgotten with their connections",
        wait_for_warm_on_init: "every cluster is warmed before it is used",
      },
      neutral:
        "use_tcp_for_dns_lookups track_timeout_budgets connection_pool_per_downstream_connection protocol_selection",
    },
    [`${p}Cluster.CustomClusterType`]: { implemented: "name typed_config" },
    [`${p}Cluster.RefreshRate`]: { implemented: "base_interval max_interval" },
    "envoy.extensions.clusters.aggregate.v3.ClusterConfig": { implemented: "clusters" },
    "envoy.extensions.clusters.dns.v3.DnsCluster": {
      implemented:
        "dns_refresh_rate dns_failure_refresh_rate respect_dns_ttl dns_jitter dns_lookup_family all_addresses_in_single_endpoint",
    },
    "envoy.extensions.clusters.dns.v3.DnsCluster.RefreshRate": { implemented: "base_interval max_interval" },
    [`${p}Cluster.EdsClusterConfig`]: { implemented: "eds_config service_name" },
    [`${p}Cluster.TransportSocketMatch`]: { implemented: "name match transport_socket" },
    [`${p}UpstreamConnectionOptions`]: { implemented: "tcp_keepalive happy_eyeballs_config" },
    [`${p}UpstreamConnectionOptions.HappyEyeballsConfig`]: {
      implemented: "first_address_family_version first_address_family_count",
    },
    "envoy.config.core.v3.TcpKeepalive": {
      implemented: "keepalive_probes keepalive_time keepalive_interval",
    },
    [`${p}CircuitBreakers`]: { implemented: "thresholds" },
    [`${p}CircuitBreakers.Thresholds`]: {
      implemented: "priority max_connections max_pending_requests max_requests max_retries retry_budget",
      harmless: {
        track_remaining: "what remains is the limit less the active count, both of which are statistics",
        max_connection_pools: "there is one pool for each endpoint",
      },
    },
    [`${p}CircuitBreakers.Thresholds.RetryBudget`]: { implemented: "budget_percent min_retry_concurrency" },
    [`${p}OutlierDetection`]: {
      implemented:
        "consecutive_5xx interval base_ejection_time max_ejection_percent enforcing_consecutive_5xx enforcing_success_rate success_rate_minimum_hosts success_rate_request_volume success_rate_stdev_factor consecutive_gateway_failure enforcing_consecutive_gateway_failure split_external_local_origin_errors consecutive_local_origin_failure enforcing_consecutive_local_origin_failure enforcing_local_origin_success_rate failure_percentage_threshold enforcing_failure_percentage enforcing_failure_percentage_local_origin failure_percentage_minimum_hosts failure_percentage_request_volume max_ejection_time max_ejection_time_jitter successful_active_health_check_uneject_host always_eject_one_host",
    },
    [`${u}HttpProtocolOptions`]: {
      implemented:
        "common_http_protocol_options explicit_http_config use_downstream_protocol_config auto_config outlier_detection",
    },
    [`${u}HttpProtocolOptions.OutlierDetection`]: { implemented: "error_matcher" },
    "envoy.config.common.matcher.v3.MatchPredicate": {
      implemented: "or_match and_match not_match any_match http_response_headers_match",
    },
    "envoy.config.common.matcher.v3.MatchPredicate.MatchSet": { implemented: "rules" },
    "envoy.config.common.matcher.v3.HttpHeadersMatch": { implemented: "headers" },
    [`${u}HttpProtocolOptions.AutoHttpConfig`]: {
      implemented: "http_protocol_options http2_protocol_options",
    },
    [`${u}HttpProtocolOptions.ExplicitHttpConfig`]: {
      implemented: "http_protocol_options http2_protocol_options",
    },
    [`${u}HttpProtocolOptions.UseDownstreamHttpConfig`]: {
      implemented: "http_protocol_options http2_protocol_options",
      harmless: { http3_protocol_options: "HTTP/3 is not spoken" },
    },
    "envoy.config.core.v3.Http2ProtocolOptions": {
      implemented:
        "hpack_table_size max_concurrent_streams allow_connect initial_stream_window_size initial_connection_window_size max_outbound_frames max_outbound_control_frames max_consecutive_inbound_frames_with_empty_payload max_inbound_priority_frames_per_stream max_inbound_window_update_frames_per_data_frame_sent override_stream_error_on_invalid_http_message connection_keepalive",
    },
    "envoy.config.core.v3.KeepaliveSettings": { implemented: "interval timeout interval_jitter" },
    [`${e}ClusterLoadAssignment`]: { implemented: "cluster_name endpoints policy" },
    [`${e}ClusterLoadAssignment.Policy`]: {
      implemented: "overprovisioning_factor weighted_priority_health",
      harmless: { endpoint_stale_after: "endpoints are kept until the control plane replaces them" },
    },
    [`${e}LocalityLbEndpoints`]: {
      implemented: "locality lb_endpoints load_balancing_weight priority",
      harmless: {
        metadata: "no filter reads a locality's metadata",
        proximity: "Envoy does not act on it either",
      },
    },
    [`${e}LbEndpoint`]: { implemented: "endpoint health_status metadata load_balancing_weight" },
    [`${e}Endpoint`]: {
      implemented: "address hostname health_check_config additional_addresses",
    },
    [`${e}Endpoint.AdditionalAddress`]: { implemented: "address" },
  };
}
