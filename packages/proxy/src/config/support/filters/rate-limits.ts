import type { MessageSupport } from "../message-support.ts";

/** What this proxy does with the messages of local and global rate limits. */
export function rateLimitsSupport(): Record<string, MessageSupport> {
  const route = "envoy.config.route.v3.RateLimit";
  const common = "envoy.extensions.common.ratelimit.v3.";
  const global = "envoy.extensions.filters.http.ratelimit.v3.";
  const metadata = "envoy.type.metadata.v3.MetadataKey";
  return {
    [route]: { implemented: "stage actions", neutral: "apply_on_stream_done disable_key" },
    [`${route}.Action`]: {
      implemented:
        "source_cluster destination_cluster request_headers query_parameters remote_address generic_key header_value_match dynamic_metadata metadata masked_remote_address query_parameter_value_match",
    },
    [`${route}.Action.SourceCluster`]: { implemented: "" },
    [`${route}.Action.DestinationCluster`]: { implemented: "" },
    [`${route}.Action.RequestHeaders`]: { implemented: "header_name descriptor_key skip_if_absent" },
    [`${route}.Action.QueryParameters`]: {
      implemented: "query_parameter_name descriptor_key skip_if_absent",
    },
    [`${route}.Action.RemoteAddress`]: { implemented: "" },
    [`${route}.Action.MaskedRemoteAddress`]: { implemented: "v4_prefix_mask_len v6_prefix_mask_len" },
    [`${route}.Action.GenericKey`]: { implemented: "descriptor_value descriptor_key" },
    [`${route}.Action.HeaderValueMatch`]: {
      implemented: "descriptor_key descriptor_value expect_match headers",
    },
    [`${route}.Action.DynamicMetaData`]: { implemented: "descriptor_key metadata_key default_value" },
    [`${route}.Action.MetaData`]: {
      implemented: "descriptor_key metadata_key default_value source skip_if_absent",
    },
    [`${route}.Action.QueryParameterValueMatch`]: {
      implemented: "descriptor_key descriptor_value expect_match query_parameters",
    },
    [metadata]: { implemented: "key path" },
    [`${metadata}.PathSegment`]: { implemented: "key" },
    "envoy.type.v3.TokenBucket": { implemented: "max_tokens tokens_per_fill fill_interval" },
    [`${common}RateLimitDescriptor.Entry`]: { implemented: "key value" },
    [`${common}LocalRateLimitDescriptor`]: { implemented: "entries token_bucket" },
    "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit": {
      implemented:
        "stat_prefix status token_bucket filter_enabled filter_enforced request_headers_to_add_when_not_enforced response_headers_to_add descriptors stage local_rate_limit_per_downstream_connection enable_x_ratelimit_headers vh_rate_limits always_consume_default_token_bucket rate_limited_as_resource_exhausted rate_limits max_dynamic_descriptors",
    },
    [`${global}RateLimit`]: {
      implemented:
        "domain stage request_type timeout failure_mode_deny rate_limited_as_resource_exhausted rate_limit_service enable_x_ratelimit_headers disable_x_envoy_ratelimited_header rate_limited_status response_headers_to_add status_on_error stat_prefix filter_enabled filter_enforced failure_mode_deny_percent rate_limits",
    },
    [`${global}RateLimitPerRoute`]: {
      implemented: "vh_rate_limits rate_limits domain",
      neutral: "override_option",
    },
    "envoy.config.ratelimit.v3.RateLimitServiceConfig": {
      implemented: "grpc_service",
      harmless: { transport_api_version: "v3 is the only version" },
    },
  };
}
