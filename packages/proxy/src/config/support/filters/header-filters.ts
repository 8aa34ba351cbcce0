import type { MessageSupport } from "../message-support.ts";

/** What this proxy does with the messages of filters that edit or check headers: basic authentication, CORS, CSRF, header mutation and metadata. */
export function headerFiltersSupport(): Record<string, MessageSupport> {
  const cors =
    "allow_origin_string_match allow_methods allow_headers expose_headers max_age allow_credentials filter_enabled shadow_enabled allow_private_network_access forward_not_matching_preflights";
  const mutation = "envoy.extensions.filters.http.header_mutation.v3.";
  const rules = "envoy.config.common.mutation_rules.v3.";
  const toMetadata = "envoy.extensions.filters.http.header_to_metadata.v3.Config";
  const session = "envoy.extensions.filters.http.stateful_session.v3.";
  const state = "envoy.extensions.http.stateful_session.";
  const setMetadata = "envoy.extensions.filters.http.set_metadata.v3.";
  return {
    [toMetadata]: { implemented: "request_rules response_rules" },
    [`${toMetadata}.Rule`]: { implemented: "header cookie on_header_present on_header_missing remove" },
    [`${toMetadata}.KeyValuePair`]: {
      implemented: "metadata_namespace key value regex_value_rewrite type encode",
    },
    [`${session}StatefulSession`]: { implemented: "session_state strict" },
    [`${session}StatefulSessionPerRoute`]: { implemented: "disabled stateful_session" },
    [`${state}cookie.v3.CookieBasedSessionState`]: { implemented: "cookie" },
    [`${state}header.v3.HeaderBasedSessionState`]: { implemented: "name" },
    "envoy.type.http.v3.Cookie": { implemented: "name ttl path attributes" },
    "envoy.type.http.v3.CookieAttribute": { implemented: "name value" },
    [`${setMetadata}Config`]: { implemented: "metadata_namespace value metadata" },
    [`${setMetadata}Metadata`]: { implemented: "metadata_namespace allow_overwrite value" },
    "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig": {
      implemented:
        "individual_method_stats_allowlist stats_for_all_methods enable_upstream_stats replace_dots_in_grpc_service_name",
      harmless: {
        emit_filter_state: "read by %FILTER_STATE% alone, which is refused",
      },
    },
    "envoy.config.core.v3.GrpcMethodList": { implemented: "services" },
    "envoy.config.core.v3.GrpcMethodList.Service": { implemented: "name method_names" },
    "envoy.extensions.filters.http.grpc_web.v3.GrpcWeb": { implemented: "" },
    "envoy.extensions.filters.http.cors.v3.Cors": { implemented: "" },
    "envoy.extensions.filters.http.cors.v3.CorsPolicy": { implemented: cors },
    "envoy.extensions.filters.http.basic_auth.v3.BasicAuth": {
      implemented: "users forward_username_header authentication_header",
    },
    "envoy.extensions.filters.http.basic_auth.v3.BasicAuthPerRoute": { implemented: "users" },
    "envoy.extensions.filters.http.csrf.v3.CsrfPolicy": {
      implemented: "filter_enabled shadow_enabled additional_origins",
    },
    "envoy.config.route.v3.CorsPolicy": { implemented: cors },
    [`${mutation}HeaderMutation`]: { implemented: "mutations most_specific_header_mutations_wins" },
    [`${mutation}HeaderMutationPerRoute`]: { implemented: "mutations" },
    [`${mutation}Mutations`]: {
      implemented:
        "request_mutations query_parameter_mutations response_mutations response_trailers_mutations request_trailers_mutations",
    },
    [`${rules}HeaderMutation`]: { implemented: "remove append remove_on_match" },
    [`${rules}HeaderMutation.RemoveOnMatch`]: { implemented: "key_matcher" },
    "envoy.config.core.v3.KeyValueMutation": { implemented: "append remove" },
    "envoy.config.core.v3.KeyValueAppend": { implemented: "record entry action" },
    "envoy.config.core.v3.KeyValue": { implemented: "key value" },
    "envoy.config.core.v3.KeyValuePair": { implemented: "key value" },
  };
}
