import type { MessageSupport } from "../message-support.ts";

/** What this proxy does with the messages of external authorization. */
export function extAuthzSupport(): Record<string, MessageSupport> {
  const p = "envoy.extensions.filters.http.ext_authz.v3.";
  return {
    [`${p}ExtAuthz`]: {
      implemented:
        "grpc_service http_service failure_mode_allow failure_mode_allow_header_add with_request_body clear_route_cache status_on_error metadata_context_namespaces filter_enabled filter_enabled_metadata deny_at_disable stat_prefix allowed_headers disallowed_headers include_tls_session",
      harmless: {
        transport_api_version: "v3 is the only version",
        charge_cluster_response_stats: "a denial is counted by the filter, never as a cluster's answer",
      },
      neutral:
        "validate_mutations include_peer_certificate encode_raw_headers emit_filter_state_stats max_denied_response_body_bytes enforce_response_header_limits",
    },
    "envoy.extensions.filters.network.ext_authz.v3.ExtAuthz": {
      implemented:
        "stat_prefix grpc_service failure_mode_allow include_peer_certificate filter_enabled_metadata include_tls_session metadata_context_namespaces",
      harmless: { transport_api_version: "v3 is the only version" },
      neutral: "bootstrap_metadata_labels_key send_tls_alert_on_denial typed_metadata_context_namespaces",
    },
    [`${p}BufferSettings`]: { implemented: "max_request_bytes allow_partial_message pack_as_bytes" },
    [`${p}HttpService`]: {
      implemented: "server_uri path_prefix authorization_request authorization_response",
    },
    [`${p}AuthorizationRequest`]: { implemented: "allowed_headers headers_to_add" },
    [`${p}AuthorizationResponse`]: {
      implemented:
        "allowed_upstream_headers allowed_upstream_headers_to_append allowed_client_headers allowed_client_headers_on_success dynamic_metadata_from_headers",
    },
    [`${p}ExtAuthzPerRoute`]: { implemented: "disabled check_settings" },
    [`${p}CheckSettings`]: {
      implemented:
        "context_extensions disable_request_body_buffering with_request_body grpc_service http_service",
    },
    "envoy.type.v3.HttpStatus": { implemented: "code" },
  };
}
