import type { MessageSupport } from "./message-support.ts";

/** What this proxy does with the messages of `route.v3`. */
export function routeSupport(): Record<string, MessageSupport> {
  const p = "envoy.config.route.v3.";
  const retry = "envoy.extensions.retry.";
  const redirect = "envoy.extensions.internal_redirect.";
  const edits =
    "request_headers_to_add request_headers_to_remove response_headers_to_add response_headers_to_remove";
  return {
    [`${p}RouteConfiguration`]: {
      implemented: `name virtual_hosts ${edits} most_specific_header_mutations_wins validate_clusters max_direct_response_body_size_bytes ignore_port_in_host_matching ignore_path_parameters_in_path_matching request_mirror_policies typed_per_filter_config vhds metadata`,
      harmless: {
        internal_only_headers: "internal headers are stripped at the edge of the mesh",
      },
    },
    [`${p}Vhds`]: { implemented: "config_source" },
    [`${p}FilterConfig`]: { implemented: "config is_optional disabled" },
    [`${p}VirtualHost`]: {
      implemented: `name domains routes matcher require_tls ${edits} typed_per_filter_config cors rate_limits retry_policy include_request_attempt_count include_attempt_count_in_response include_is_timeout_retry_header hedge_policy request_mirror_policies per_request_buffer_limit_bytes request_body_buffer_limit`,
      harmless: { metadata: "no filter reads a virtual host's metadata" },
    },
    [`${p}RouteList`]: { implemented: "routes" },
    [`${p}Route`]: {
      implemented: `name match route redirect direct_response metadata typed_per_filter_config tracing decorator per_request_buffer_limit_bytes request_body_buffer_limit ${edits}`,
      harmless: {
        stat_prefix: "there are no statistics per route",
      },
    },
    [`${p}RouteMatch`]: {
      implemented:
        "prefix path safe_regex path_separated_prefix path_match_policy connect_matcher case_sensitive runtime_fraction headers query_parameters grpc tls_context dynamic_metadata",
    },
    [`${p}RouteMatch.GrpcRouteMatchOptions`]: { implemented: "" },
    [`${p}RouteMatch.ConnectMatcher`]: { implemented: "" },
    [`${p}RouteMatch.TlsContextMatchOptions`]: { implemented: "presented validated" },
    "envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig": { implemented: "path_template" },
    "envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig": {
      implemented: "path_template_rewrite",
    },
    [`${p}HeaderMatcher`]: {
      implemented:
        "name exact_match safe_regex_match range_match present_match prefix_match suffix_match contains_match string_match invert_match treat_missing_header_as_empty",
    },
    [`${p}QueryParameterMatcher`]: { implemented: "name string_match present_match" },
    [`${p}RouteAction`]: {
      implemented:
        "cluster cluster_header weighted_clusters cluster_not_found_response_code metadata_match prefix_rewrite regex_rewrite path_rewrite_policy path_rewrite host_rewrite_literal host_rewrite_header host_rewrite_path_regex host_rewrite auto_host_rewrite append_x_forwarded_host request_mirror_policies max_stream_duration timeout idle_timeout retry_policy max_grpc_timeout grpc_timeout_offset hedge_policy priority upgrade_configs hash_policy cors rate_limits include_vh_rate_limits internal_redirect_policy",
      neutral: "internal_redirect_action max_internal_redirects",
    },
    [`${p}RouteAction.UpgradeConfig`]: { implemented: "upgrade_type enabled connect_config" },
    [`${p}RouteAction.UpgradeConfig.ConnectConfig`]: { implemented: "", neutral: "allow_post" },
    [`${p}WeightedCluster`]: {
      implemented: "clusters total_weight header_name use_hash_policy",
      harmless: { runtime_key_prefix: "runtime values do not change weights" },
    },
    [`${p}WeightedCluster.ClusterWeight`]: {
      implemented: `name cluster_header weight metadata_match host_rewrite_literal typed_per_filter_config ${edits}`,
    },
    [`${p}InternalRedirectPolicy`]: {
      implemented:
        "max_internal_redirects redirect_response_codes predicates allow_cross_scheme_redirect response_headers_to_copy",
    },
    [`${redirect}allow_listed_routes.v3.AllowListedRoutesConfig`]: { implemented: "allowed_route_names" },
    [`${redirect}previous_routes.v3.PreviousRoutesConfig`]: { implemented: "" },
    [`${redirect}safe_cross_scheme.v3.SafeCrossSchemeConfig`]: { implemented: "" },
    [`${p}RetryPolicy`]: {
      implemented:
        "retry_on num_retries per_try_timeout per_try_idle_timeout retry_host_predicate retry_priority retriable_status_codes retry_back_off rate_limited_retry_back_off retriable_headers retriable_request_headers",
      harmless: {
        host_selection_retry_max_attempts: "another endpoint is found whenever there is one",
      },
    },
    [`${p}RetryPolicy.RetryBackOff`]: { implemented: "base_interval max_interval" },
    [`${p}RetryPolicy.RateLimitedRetryBackOff`]: { implemented: "reset_headers max_interval" },
    [`${p}RetryPolicy.ResetHeader`]: { implemented: "name format" },
    [`${p}RetryPolicy.RetryHostPredicate`]: { implemented: "name typed_config" },
    [`${p}RetryPolicy.RetryPriority`]: { implemented: "name typed_config" },
    [`${retry}host.previous_hosts.v3.PreviousHostsPredicate`]: { implemented: "" },
    [`${retry}host.omit_canary_hosts.v3.OmitCanaryHostsPredicate`]: { implemented: "" },
    [`${retry}host.omit_host_metadata.v3.OmitHostMetadataConfig`]: { implemented: "metadata_match" },
    [`${retry}priority.previous_priorities.v3.PreviousPrioritiesConfig`]: { implemented: "update_frequency" },
    [`${p}RouteAction.MaxStreamDuration`]: {
      implemented: "max_stream_duration grpc_timeout_header_max grpc_timeout_header_offset",
    },
    [`${p}RouteAction.RequestMirrorPolicy`]: {
      implemented:
        "cluster cluster_header runtime_fraction disable_shadow_host_suffix_append request_headers_mutations host_rewrite_literal trace_sampled",
    },
    [`${p}HedgePolicy`]: {
      implemented: "hedge_on_per_try_timeout",
      harmless: {
        initial_requests: "Envoy, too, always begins with one",
        additional_request_chance: "Envoy, too, adds none",
      },
    },
    [`${p}RedirectAction`]: {
      implemented:
        "https_redirect scheme_redirect host_redirect port_redirect path_redirect prefix_rewrite regex_rewrite response_code strip_query",
    },
    [`${p}DirectResponseAction`]: { implemented: "status body body_format" },
  };
}
