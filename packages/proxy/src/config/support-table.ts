/** What this proxy does with the fields of one message. Names are the API's own. */
export interface MessageSupport {
  /** Read by a decoder and acted upon, separated by spaces. */
  readonly implemented: string;
  /** Accepted without effect because it cannot change what a request sees here; each with its reason. */
  readonly harmless?: Readonly<Record<string, string>>;
  /** Accepted only at its default value, which asks for nothing. */
  readonly neutral?: string;
}

const controlPlaneHttp2 = "the xDS client keeps its connections alive by itself; elsewhere it is refused";
const singleWorker = "there is one worker";

/**
 * Every message and field this proxy acts upon. What is not here is refused by
 * name wherever it is set: this table is the whole difference between this
 * proxy and Envoy's API.
 */
export const supportTable: Readonly<Record<string, MessageSupport>> = {
  ...bootstrap(),
  ...core(),
  ...listener(),
  ...connectionManager(),
  ...route(),
  ...cluster(),
  ...tls(),
  ...accessLog(),
  ...filters(),
};

function bootstrap(): Record<string, MessageSupport> {
  const p = "envoy.config.bootstrap.v3.";
  return {
    [`${p}Bootstrap`]: {
      implemented: "node static_resources dynamic_resources layered_runtime admin",
      harmless: {
        stats_flush_interval: "statistics are read when asked for, never flushed",
        stats_flush_on_admin: "statistics are read when asked for, never flushed",
      },
    },
    [`${p}Bootstrap.StaticResources`]: { implemented: "listeners clusters secrets" },
    [`${p}Bootstrap.DynamicResources`]: { implemented: "lds_config cds_config ads_config" },
    [`${p}Admin`]: {
      implemented: "address",
      harmless: {
        access_log: "the admin endpoint keeps no access log",
        access_log_path: "the admin endpoint keeps no access log",
        profile_path: "there is no CPU profiler endpoint",
        ignore_global_conn_limit: "there is no global connection limit",
      },
    },
    [`${p}LayeredRuntime`]: { implemented: "layers" },
    [`${p}RuntimeLayer`]: {
      implemented: "name static_layer",
      harmless: { admin_layer: "the admin endpoint does not change runtime values" },
    },
  };
}

function core(): Record<string, MessageSupport> {
  const p = "envoy.config.core.v3.";
  const m = "envoy.type.matcher.v3.";
  const whole = (implemented: string): MessageSupport => ({ implemented });
  return {
    [`${p}Node`]: {
      implemented:
        "id cluster metadata dynamic_parameters locality user_agent_name user_agent_version user_agent_build_version extensions client_features listening_addresses",
    },
    [`${p}BuildVersion`]: whole("version metadata"),
    [`${p}Extension`]: whole("name category type_descriptor version disabled type_urls"),
    "envoy.type.v3.SemanticVersion": whole("major_number minor_number patch"),
    "xds.core.v3.ContextParams": whole("params"),
    [`${p}Locality`]: whole("region zone sub_zone"),
    [`${p}Metadata`]: {
      implemented: "filter_metadata",
      harmless: { typed_filter_metadata: "no filter reads typed metadata" },
    },
    [`${p}Address`]: whole("socket_address pipe"),
    [`${p}SocketAddress`]: {
      implemented: "address port_value ipv4_compat",
      neutral: "protocol resolver_name network_namespace_filepath",
    },
    [`${p}Pipe`]: { implemented: "path", neutral: "mode" },
    [`${p}ExtraSourceAddress`]: { implemented: "address" },
    [`${p}BindConfig`]: { implemented: "source_address extra_source_addresses", neutral: "freebind" },
    [`${p}CidrRange`]: whole("address_prefix prefix_len"),
    [`${p}DataSource`]: whole("filename inline_bytes inline_string environment_variable"),
    [`${p}ConfigSource`]: {
      implemented: "ads api_config_source path_config_source path initial_fetch_timeout",
      harmless: { resource_api_version: "v3 is the only version" },
    },
    [`${p}AggregatedConfigSource`]: whole(""),
    [`${p}PathConfigSource`]: whole("path watched_directory"),
    [`${p}WatchedDirectory`]: whole("path"),
    [`${p}ApiConfigSource`]: {
      implemented: "api_type grpc_services",
      harmless: {
        transport_api_version: "v3 is the only version",
        set_node_on_first_message_only: "the node is sent with the first message of a stream only",
        rate_limit_settings: "requests follow responses one to one and are never repeated unasked",
      },
    },
    [`${p}GrpcService`]: { implemented: "envoy_grpc initial_metadata", neutral: "timeout" },
    [`${p}GrpcService.EnvoyGrpc`]: { implemented: "cluster_name authority" },
    [`${p}HeaderValue`]: whole("key value"),
    [`${p}HeaderValueOption`]: whole("header append append_action keep_empty_value"),
    [`${p}TransportSocket`]: whole("name typed_config"),
    [`${p}TypedExtensionConfig`]: whole("name typed_config"),
    [`${p}RuntimeFractionalPercent`]: whole("default_value runtime_key"),
    [`${p}RuntimeUInt32`]: whole("default_value runtime_key"),
    "envoy.type.v3.FractionalPercent": whole("numerator denominator"),
    "envoy.type.v3.Percent": whole("value"),
    "envoy.type.v3.Int64Range": whole("start end"),
    "envoy.type.v3.Int32Range": whole("start end"),
    [`${m}StringMatcher`]: whole("exact prefix suffix safe_regex contains ignore_case"),
    [`${m}RegexMatcher`]: { implemented: "regex", harmless: { google_re2: "RE2 is the only engine" } },
    [`${m}RegexMatchAndSubstitute`]: whole("pattern substitution"),
    [`${m}PathMatcher`]: whole("path"),
    [`${m}MetadataMatcher`]: whole("filter path value invert"),
    [`${m}MetadataMatcher.PathSegment`]: whole("key"),
    [`${m}ValueMatcher`]: whole("string_match present_match"),
    [`${p}SubstitutionFormatString`]: {
      implemented: "text_format json_format text_format_source omit_empty_values",
      harmless: { content_type: "only local replies have a content type" },
      neutral: "json_format_options",
    },
  };
}

function listener(): Record<string, MessageSupport> {
  const p = "envoy.config.listener.v3.";
  return {
    [`${p}Listener`]: {
      implemented:
        "name address additional_addresses filter_chains use_original_dst default_filter_chain per_connection_buffer_limit_bytes metadata listener_filters listener_filters_timeout continue_on_listener_filters_timeout traffic_direction bind_to_port",
      harmless: {
        stat_prefix: "listener statistics are named by address",
        enable_reuse_port: singleWorker,
        reuse_port: singleWorker,
        connection_balance_config: singleWorker,
        tcp_backlog_size: "the system's largest backlog is always asked for",
        max_connections_to_accept_per_socket_event: "connections are accepted one at a time",
        ignore_global_conn_limit: "there is no global connection limit",
        bypass_overload_manager: "there is no overload manager",
      },
      neutral: "drain_type transparent freebind tcp_fast_open_queue_length enable_mptcp",
    },
    [`${p}AdditionalAddress`]: { implemented: "address" },
    [`${p}ListenerFilter`]: { implemented: "name typed_config" },
    [`${p}FilterChain`]: {
      implemented: "filter_chain_match filters transport_socket transport_socket_connect_timeout name",
      harmless: { metadata: "no filter reads a chain's metadata" },
      neutral: "use_proxy_proto",
    },
    [`${p}FilterChainMatch`]: {
      implemented:
        "destination_port prefix_ranges direct_source_prefix_ranges source_type source_prefix_ranges source_ports server_names transport_protocol application_protocols",
    },
    [`${p}Filter`]: { implemented: "name typed_config" },
    "envoy.extensions.filters.listener.original_dst.v3.OriginalDst": { implemented: "" },
    "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector": {
      implemented: "",
      harmless: {
        initial_read_buffer_size: "the buffer grows with the ClientHello up to its limit",
      },
      neutral: "enable_ja3_fingerprinting enable_ja4_fingerprinting",
    },
    "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector": { implemented: "" },
  };
}

function connectionManager(): Record<string, MessageSupport> {
  const p = "envoy.extensions.filters.network.http_connection_manager.v3.";
  const tcp = "envoy.extensions.filters.network.tcp_proxy.v3.";
  return {
    [`${p}HttpConnectionManager`]: {
      implemented:
        "codec_type stat_prefix rds route_config http_filters common_http_protocol_options http_protocol_options http2_protocol_options server_name server_header_transformation max_request_headers_kb stream_idle_timeout request_timeout request_headers_timeout drain_timeout access_log use_remote_address xff_num_trusted_hops skip_xff_append via generate_request_id preserve_external_request_id forward_client_cert_details set_current_client_cert_details upgrade_configs normalize_path merge_slashes path_with_escaped_slashes_action strip_matching_host_port strip_any_host_port",
      harmless: {
        http3_protocol_options: "HTTP/3 is not spoken, so its settings are never used",
        delayed_close_timeout: "a connection is closed once its last response is written",
      },
      neutral:
        "add_user_agent http1_safe_max_connection_duration stream_flush_timeout access_log_flush_interval flush_access_log_on_new_request always_set_request_id_in_response proxy_100_continue represent_ipv4_remote_address_as_ipv4_mapped_ipv6 stream_error_on_invalid_http_message strip_trailing_host_dot append_x_forwarded_port append_local_overload add_proxy_protocol_connection_state",
    },
    "envoy.config.core.v3.HttpProtocolOptions": {
      implemented: "idle_timeout max_connection_duration max_headers_count max_requests_per_connection",
      neutral: "max_stream_duration headers_with_underscores_action",
    },
    "envoy.config.core.v3.Http1ProtocolOptions": {
      implemented: "accept_http_10 header_key_format",
      harmless: {
        use_balsa_parser: "there is one HTTP/1 parser",
        allow_absolute_url: "absolute request targets are always understood",
        enable_trailers: "trailers are always passed on",
      },
      neutral:
        "default_host_for_http_10 allow_chunked_length override_stream_error_on_invalid_http_message send_fully_qualified_url allow_custom_methods",
    },
    "envoy.config.core.v3.Http1ProtocolOptions.HeaderKeyFormat": { implemented: "proper_case_words" },
    "envoy.config.core.v3.Http1ProtocolOptions.HeaderKeyFormat.ProperCaseWords": { implemented: "" },
    [`${p}Rds`]: { implemented: "config_source route_config_name" },
    [`${p}HttpFilter`]: { implemented: "name typed_config is_optional", neutral: "disabled" },
    [`${p}HttpConnectionManager.SetCurrentClientCertDetails`]: { implemented: "subject cert chain dns uri" },
    [`${p}HttpConnectionManager.UpgradeConfig`]: { implemented: "upgrade_type enabled" },
    [`${tcp}TcpProxy`]: {
      implemented:
        "stat_prefix cluster weighted_clusters metadata_match idle_timeout access_log max_connect_attempts",
      neutral: "access_log_flush_interval flush_access_log_on_connected upstream_connect_mode",
    },
    [`${tcp}TcpProxy.WeightedCluster`]: { implemented: "clusters" },
    [`${tcp}TcpProxy.WeightedCluster.ClusterWeight`]: { implemented: "name weight metadata_match" },
  };
}

function route(): Record<string, MessageSupport> {
  const p = "envoy.config.route.v3.";
  const edits =
    "request_headers_to_add request_headers_to_remove response_headers_to_add response_headers_to_remove";
  return {
    [`${p}RouteConfiguration`]: {
      implemented: `name virtual_hosts ${edits} most_specific_header_mutations_wins validate_clusters max_direct_response_body_size_bytes ignore_port_in_host_matching typed_per_filter_config`,
      harmless: {
        metadata: "no filter reads a route configuration's metadata",
        internal_only_headers: "internal headers are stripped at the edge of the mesh",
      },
      neutral: "ignore_path_parameters_in_path_matching",
    },
    [`${p}VirtualHost`]: {
      implemented: `name domains routes require_tls ${edits} typed_per_filter_config retry_policy include_request_attempt_count include_attempt_count_in_response`,
      harmless: { metadata: "no filter reads a virtual host's metadata" },
      neutral: "include_is_timeout_retry_header",
    },
    [`${p}Route`]: {
      implemented: `name match route redirect direct_response metadata typed_per_filter_config ${edits}`,
      harmless: {
        decorator: "names spans, and no tracer is configured",
        stat_prefix: "there are no statistics per route",
      },
    },
    [`${p}RouteMatch`]: {
      implemented:
        "prefix path safe_regex path_separated_prefix case_sensitive runtime_fraction headers query_parameters grpc",
    },
    [`${p}RouteMatch.GrpcRouteMatchOptions`]: { implemented: "" },
    [`${p}HeaderMatcher`]: {
      implemented:
        "name exact_match safe_regex_match range_match present_match prefix_match suffix_match contains_match string_match invert_match treat_missing_header_as_empty",
    },
    [`${p}QueryParameterMatcher`]: { implemented: "name string_match present_match" },
    [`${p}RouteAction`]: {
      implemented:
        "cluster cluster_header weighted_clusters cluster_not_found_response_code metadata_match prefix_rewrite regex_rewrite host_rewrite_literal auto_host_rewrite timeout idle_timeout retry_policy priority upgrade_configs",
      harmless: {
        max_grpc_timeout: "`grpc-timeout` is passed on and not used as this route's timeout",
        grpc_timeout_offset: "`grpc-timeout` is passed on and not used as this route's timeout",
      },
      neutral:
        "append_x_forwarded_host max_stream_duration internal_redirect_action max_internal_redirects include_vh_rate_limits",
    },
    [`${p}RouteAction.UpgradeConfig`]: { implemented: "upgrade_type enabled" },
    [`${p}WeightedCluster`]: {
      implemented: "clusters total_weight",
      harmless: { runtime_key_prefix: "runtime values do not change weights" },
    },
    [`${p}WeightedCluster.ClusterWeight`]: { implemented: `name weight metadata_match ${edits}` },
    [`${p}RetryPolicy`]: {
      implemented:
        "retry_on num_retries per_try_timeout retry_host_predicate host_selection_retry_max_attempts retriable_status_codes retry_back_off retriable_headers",
    },
    [`${p}RetryPolicy.RetryBackOff`]: { implemented: "base_interval max_interval" },
    [`${p}RetryPolicy.RetryHostPredicate`]: { implemented: "name typed_config" },
    "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate": { implemented: "" },
    [`${p}RedirectAction`]: {
      implemented:
        "https_redirect scheme_redirect host_redirect port_redirect path_redirect prefix_rewrite regex_rewrite response_code strip_query",
    },
    [`${p}DirectResponseAction`]: { implemented: "status body" },
  };
}

function cluster(): Record<string, MessageSupport> {
  const p = "envoy.config.cluster.v3.";
  const e = "envoy.config.endpoint.v3.";
  const u = "envoy.extensions.upstreams.http.v3.";
  return {
    [`${p}Cluster`]: {
      implemented:
        "transport_socket_matches name alt_stat_name type eds_cluster_config connect_timeout per_connection_buffer_limit_bytes lb_policy load_assignment max_requests_per_connection circuit_breakers http2_protocol_options typed_extension_protocol_options dns_refresh_rate dns_lookup_family outlier_detection lb_subset_config original_dst_lb_config least_request_lb_config round_robin_lb_config common_lb_config transport_socket metadata upstream_bind_config upstream_connection_options",
      harmless: {
        respect_dns_ttl: "names are resolved at `dns_refresh_rate`",
        dns_failure_refresh_rate: "names that did not resolve are tried again at `dns_refresh_rate`",
        cleanup_interval: "unused original destinations are forgotten with their connections",
        wait_for_warm_on_init: "every cluster is warmed before it is used",
        ignore_health_on_host_removal: "there are no active health checks",
        close_connections_on_host_health_failure: "there are no active health checks",
      },
      neutral:
        "use_tcp_for_dns_lookups track_timeout_budgets connection_pool_per_downstream_connection protocol_selection dns_jitter",
    },
    [`${p}Cluster.EdsClusterConfig`]: { implemented: "eds_config service_name" },
    [`${p}Cluster.LbSubsetConfig`]: {
      implemented: "fallback_policy default_subset subset_selectors",
      neutral:
        "locality_weight_aware scale_locality_weight panic_mode_any list_as_any metadata_fallback_policy",
    },
    [`${p}Cluster.LbSubsetConfig.LbSubsetSelector`]: {
      implemented: "keys",
      neutral: "single_host_per_subset fallback_policy",
    },
    [`${p}Cluster.TransportSocketMatch`]: { implemented: "name match transport_socket" },
    [`${p}Cluster.CommonLbConfig`]: {
      implemented: "healthy_panic_threshold locality_weighted_lb_config",
      harmless: {
        update_merge_window: "an endpoint update costs little and takes effect at once",
        ignore_new_hosts_until_first_hc: "there are no active health checks",
      },
      neutral: "close_connections_on_host_set_change",
    },
    [`${p}Cluster.CommonLbConfig.LocalityWeightedLbConfig`]: { implemented: "" },
    [`${p}Cluster.LeastRequestLbConfig`]: { implemented: "choice_count" },
    [`${p}Cluster.RoundRobinLbConfig`]: { implemented: "" },
    [`${p}Cluster.OriginalDstLbConfig`]: { implemented: "use_http_header http_header_name" },
    [`${p}UpstreamConnectionOptions`]: {
      implemented: "",
      harmless: {
        tcp_keepalive:
          "dead connections are found by connect, idle and response timeouts, and the xDS client asks its server for signs of life",
      },
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
        "consecutive_5xx interval base_ejection_time max_ejection_percent enforcing_consecutive_5xx consecutive_gateway_failure enforcing_consecutive_gateway_failure split_external_local_origin_errors consecutive_local_origin_failure enforcing_consecutive_local_origin_failure max_ejection_time always_eject_one_host",
      neutral:
        "enforcing_success_rate enforcing_local_origin_success_rate enforcing_failure_percentage enforcing_failure_percentage_local_origin max_ejection_time_jitter",
      harmless: {
        successful_active_health_check_uneject_host: "there are no active health checks",
        success_rate_minimum_hosts: "parameter of a detector that is off",
        success_rate_request_volume: "parameter of a detector that is off",
        success_rate_stdev_factor: "parameter of a detector that is off",
        failure_percentage_threshold: "parameter of a detector that is off",
        failure_percentage_minimum_hosts: "parameter of a detector that is off",
        failure_percentage_request_volume: "parameter of a detector that is off",
      },
    },
    [`${u}HttpProtocolOptions`]: {
      implemented: "common_http_protocol_options explicit_http_config use_downstream_protocol_config",
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
        "hpack_table_size max_concurrent_streams initial_stream_window_size initial_connection_window_size max_outbound_frames max_outbound_control_frames max_consecutive_inbound_frames_with_empty_payload max_inbound_priority_frames_per_stream max_inbound_window_update_frames_per_data_frame_sent override_stream_error_on_invalid_http_message",
      harmless: { connection_keepalive: controlPlaneHttp2 },
    },
    [`${e}ClusterLoadAssignment`]: { implemented: "cluster_name endpoints policy" },
    [`${e}ClusterLoadAssignment.Policy`]: {
      implemented: "overprovisioning_factor",
      harmless: { endpoint_stale_after: "endpoints are kept until the control plane replaces them" },
      neutral: "weighted_priority_health",
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
      implemented: "address hostname",
      harmless: { health_check_config: "there are no active health checks" },
    },
  };
}

function tls(): Record<string, MessageSupport> {
  const p = "envoy.extensions.transport_sockets.tls.v3.";
  return {
    "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer": { implemented: "" },
    [`${p}UpstreamTlsContext`]: {
      implemented: "common_tls_context sni",
      harmless: {
        max_session_keys: "the number of kept sessions is bounded by the connection pools",
        enforce_rsa_key_usage: "key usage is always enforced",
      },
      neutral: "auto_host_sni auto_sni_san_validation allow_renegotiation",
    },
    [`${p}DownstreamTlsContext`]: {
      implemented: "common_tls_context require_client_certificate",
      harmless: {
        session_timeout: "sessions are kept for at most five minutes",
        disable_stateful_session_resumption: "sessions are resumed by ticket only",
      },
      neutral:
        "require_sni disable_stateless_session_resumption ocsp_staple_policy prefer_client_ciphers full_scan_certs_on_sni_mismatch",
    },
    [`${p}CommonTlsContext`]: {
      implemented:
        "tls_params tls_certificates tls_certificate_sds_secret_configs validation_context validation_context_sds_secret_config combined_validation_context alpn_protocols",
    },
    [`${p}CommonTlsContext.CombinedCertificateValidationContext`]: {
      implemented: "default_validation_context validation_context_sds_secret_config",
    },
    [`${p}TlsParameters`]: {
      implemented: "tls_minimum_protocol_version tls_maximum_protocol_version cipher_suites ecdh_curves",
    },
    [`${p}TlsCertificate`]: { implemented: "certificate_chain private_key password" },
    [`${p}CertificateValidationContext`]: {
      implemented: "trusted_ca match_typed_subject_alt_names match_subject_alt_names crl",
      neutral:
        "allow_expired_certificate trust_chain_verification only_verify_leaf_cert_crl require_signed_certificate_timestamp",
    },
    [`${p}SubjectAltNameMatcher`]: { implemented: "san_type matcher" },
    [`${p}SdsSecretConfig`]: { implemented: "name sds_config" },
    [`${p}Secret`]: { implemented: "name tls_certificate validation_context" },
  };
}

function accessLog(): Record<string, MessageSupport> {
  const p = "envoy.config.accesslog.v3.";
  return {
    [`${p}AccessLog`]: { implemented: "name filter typed_config" },
    [`${p}AccessLogFilter`]: {
      implemented:
        "status_code_filter duration_filter and_filter or_filter header_filter response_flag_filter",
      neutral: "not_health_check_filter traceable_filter",
    },
    [`${p}StatusCodeFilter`]: { implemented: "comparison" },
    [`${p}DurationFilter`]: { implemented: "comparison" },
    [`${p}ComparisonFilter`]: { implemented: "op value" },
    [`${p}AndFilter`]: { implemented: "filters" },
    [`${p}OrFilter`]: { implemented: "filters" },
    [`${p}HeaderFilter`]: { implemented: "header" },
    [`${p}ResponseFlagFilter`]: { implemented: "flags" },
    "envoy.extensions.access_loggers.file.v3.FileAccessLog": {
      implemented: "path format json_format typed_json_format log_format",
    },
    "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog": { implemented: "log_format" },
    "envoy.extensions.access_loggers.stream.v3.StderrAccessLog": { implemented: "log_format" },
  };
}

function filters(): Record<string, MessageSupport> {
  const rbac = "envoy.config.rbac.v3.";
  const fault = "envoy.extensions.filters.common.fault.v3.";
  return {
    "envoy.extensions.filters.http.router.v3.Router": {
      implemented: "suppress_envoy_headers",
      harmless: {
        start_child_span: "no tracer is configured",
        dynamic_stats: "statistics of a cluster cost one addition each and are always kept",
      },
      neutral: "respect_expected_rq_timeout suppress_grpc_request_failure_code_stats",
    },
    "envoy.extensions.filters.http.rbac.v3.RBAC": {
      implemented: "rules rules_stat_prefix shadow_rules shadow_rules_stat_prefix",
      neutral: "track_per_rule_stats",
    },
    "envoy.extensions.filters.http.rbac.v3.RBACPerRoute": { implemented: "rbac" },
    "envoy.extensions.filters.network.rbac.v3.RBAC": {
      implemented: "rules shadow_rules shadow_rules_stat_prefix stat_prefix",
      neutral: "enforcement_type",
    },
    [`${rbac}RBAC`]: { implemented: "action policies" },
    [`${rbac}Policy`]: { implemented: "permissions principals" },
    [`${rbac}Permission`]: {
      implemented:
        "and_rules or_rules any header url_path destination_ip destination_port destination_port_range metadata not_rule requested_server_name",
    },
    [`${rbac}Permission.Set`]: { implemented: "rules" },
    [`${rbac}Principal`]: {
      implemented:
        "and_ids or_ids any authenticated source_ip direct_remote_ip remote_ip header url_path metadata not_id",
    },
    [`${rbac}Principal.Set`]: { implemented: "ids" },
    [`${rbac}Principal.Authenticated`]: { implemented: "principal_name" },
    "envoy.extensions.filters.http.fault.v3.HTTPFault": {
      implemented: "delay abort headers downstream_nodes max_active_faults",
      harmless: {
        disable_downstream_cluster_stats: "faults are not counted per downstream cluster",
        delay_percent_runtime: "runtime values do not change faults",
        abort_percent_runtime: "runtime values do not change faults",
        delay_duration_runtime: "runtime values do not change faults",
        abort_http_status_runtime: "runtime values do not change faults",
        max_active_faults_runtime: "runtime values do not change faults",
        abort_grpc_status_runtime: "runtime values do not change faults",
      },
    },
    "envoy.extensions.filters.http.fault.v3.FaultAbort": {
      implemented: "http_status grpc_status header_abort percentage",
    },
    "envoy.extensions.filters.http.fault.v3.FaultAbort.HeaderAbort": { implemented: "" },
    [`${fault}FaultDelay`]: { implemented: "fixed_delay header_delay percentage" },
    [`${fault}FaultDelay.HeaderDelay`]: { implemented: "" },
    "xds.type.v3.TypedStruct": { implemented: "type_url value" },
    "udpa.type.v1.TypedStruct": { implemented: "type_url value" },
  };
}
