import type { MessageSupport } from "./message-support.ts";

/** What this proxy does with the messages of the HTTP connection manager and the TCP proxy. */
export function connectionManagerSupport(): Record<string, MessageSupport> {
  const p = "envoy.extensions.filters.network.http_connection_manager.v3.";
  const tcp = "envoy.extensions.filters.network.tcp_proxy.v3.";
  return {
    [`${p}HttpConnectionManager`]: {
      implemented:
        "codec_type local_reply_config stat_prefix rds route_config http_filters common_http_protocol_options http_protocol_options http2_protocol_options server_name server_header_transformation max_request_headers_kb stream_idle_timeout request_timeout request_headers_timeout drain_timeout access_log use_remote_address xff_num_trusted_hops skip_xff_append via generate_request_id preserve_external_request_id forward_client_cert_details set_current_client_cert_details upgrade_configs delayed_close_timeout http1_safe_max_connection_duration stream_flush_timeout always_set_request_id_in_response proxy_100_continue strip_trailing_host_dot append_x_forwarded_port stream_error_on_invalid_http_message normalize_path merge_slashes path_with_escaped_slashes_action strip_matching_host_port strip_any_host_port tracing request_id_extension",
      harmless: {
        http3_protocol_options: "HTTP/3 is not spoken, so its settings are never used",
      },
      neutral:
        "add_user_agent access_log_flush_interval flush_access_log_on_new_request represent_ipv4_remote_address_as_ipv4_mapped_ipv6 append_local_overload add_proxy_protocol_connection_state",
    },
    "envoy.config.core.v3.HttpProtocolOptions": {
      implemented:
        "idle_timeout max_connection_duration max_headers_count max_requests_per_connection max_stream_duration headers_with_underscores_action",
    },
    "envoy.config.core.v3.Http1ProtocolOptions": {
      implemented:
        "accept_http_10 default_host_for_http_10 enable_trailers header_key_format allow_absolute_url",
      harmless: {
        use_balsa_parser: "there is one HTTP/1 parser",
      },
      neutral:
        "allow_chunked_length override_stream_error_on_invalid_http_message send_fully_qualified_url allow_custom_methods",
    },
    "envoy.config.core.v3.Http1ProtocolOptions.HeaderKeyFormat": { implemented: "proper_case_words" },
    "envoy.config.core.v3.Http1ProtocolOptions.HeaderKeyFormat.ProperCaseWords": { implemented: "" },
    [`${p}LocalReplyConfig`]: { implemented: "mappers body_format" },
    [`${p}ResponseMapper`]: {
      implemented: "filter status_code body body_format_override headers_to_add",
    },
    [`${p}RequestIDExtension`]: { implemented: "typed_config" },
    [`${p}Rds`]: { implemented: "config_source route_config_name" },
    [`${p}HttpFilter`]: { implemented: "name typed_config is_optional disabled" },
    [`${p}HttpConnectionManager.SetCurrentClientCertDetails`]: { implemented: "subject cert chain dns uri" },
    [`${p}HttpConnectionManager.UpgradeConfig`]: { implemented: "upgrade_type enabled" },
    [`${tcp}TcpProxy`]: {
      implemented:
        "stat_prefix cluster weighted_clusters metadata_match idle_timeout access_log max_connect_attempts hash_policy max_downstream_connection_duration max_downstream_connection_duration_jitter_percentage backoff_options access_log_options access_log_flush_interval flush_access_log_on_connected upstream_connect_mode max_early_data_bytes tunneling_config on_demand",
    },
    [`${tcp}TcpProxy.TunnelingConfig`]: {
      implemented: "hostname use_post headers_to_add post_path",
      neutral:
        "propagate_response_headers propagate_response_trailers request_id_header request_id_metadata_key",
    },
    [`${tcp}TcpProxy.OnDemand`]: { implemented: "odcds_config timeout" },
    [`${tcp}TcpProxy.TcpAccessLogOptions`]: {
      implemented: "access_log_flush_interval flush_access_log_on_connected",
    },
    "envoy.config.core.v3.BackoffStrategy": { implemented: "base_interval max_interval" },
    [`${tcp}TcpProxy.WeightedCluster`]: { implemented: "clusters" },
    [`${tcp}TcpProxy.WeightedCluster.ClusterWeight`]: { implemented: "name weight metadata_match" },
  };
}
