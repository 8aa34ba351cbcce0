import type { MessageSupport } from "./message-support.ts";

/** What this proxy does with the messages of `core.v3` and the matcher and type packages. */
export function coreSupport(): Record<string, MessageSupport> {
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
      harmless: {
        typed_filter_metadata:
          "no filter reads typed metadata; of a route configuration's, the names of its virtual hosts on demand count",
      },
    },
    [`${p}Address`]: whole("socket_address pipe"),
    [`${p}SocketAddress`]: {
      implemented: "address port_value ipv4_compat protocol",
      neutral: "resolver_name network_namespace_filepath",
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
    [`${p}GrpcService`]: { implemented: "envoy_grpc initial_metadata timeout" },
    [`${p}GrpcService.EnvoyGrpc`]: { implemented: "cluster_name authority" },
    [`${p}HeaderValue`]: whole("key value"),
    [`${p}HeaderValueOption`]: whole("header append append_action keep_empty_value"),
    [`${p}TransportSocket`]: whole("name typed_config"),
    [`${p}TypedExtensionConfig`]: whole("name typed_config"),
    [`${p}RuntimeFractionalPercent`]: whole("default_value runtime_key"),
    [`${p}RuntimeUInt32`]: whole("default_value runtime_key"),
    [`${p}RuntimeFeatureFlag`]: whole("default_value runtime_key"),
    "envoy.type.v3.TokenBucket": whole("max_tokens tokens_per_fill fill_interval"),
    "envoy.type.v3.FractionalPercent": whole("numerator denominator"),
    "envoy.type.v3.Percent": whole("value"),
    "envoy.type.v3.Int64Range": whole("start end"),
    "envoy.type.v3.Int32Range": whole("start end"),
    [`${m}StringMatcher`]: whole("exact prefix suffix safe_regex contains ignore_case"),
    [`${m}ListStringMatcher`]: whole("patterns"),
    [`${m}RegexMatcher`]: { implemented: "regex", harmless: { google_re2: "RE2 is the only engine" } },
    [`${m}RegexMatchAndSubstitute`]: whole("pattern substitution"),
    [`${m}PathMatcher`]: whole("path"),
    [`${m}MetadataMatcher`]: whole("filter path value invert"),
    [`${m}MetadataMatcher.PathSegment`]: whole("key"),
    [`${m}ValueMatcher`]: whole(
      "null_match double_match string_match bool_match present_match list_match or_match",
    ),
    [`${m}ValueMatcher.NullMatch`]: whole(""),
    [`${m}DoubleMatcher`]: whole("range exact"),
    [`${m}ListMatcher`]: whole("one_of"),
    [`${m}OrMatcher`]: whole("value_matchers"),
    "envoy.type.v3.DoubleRange": whole("start end"),
    [`${p}SubstitutionFormatString`]: {
      implemented: "text_format json_format text_format_source omit_empty_values content_type",
      neutral: "json_format_options",
    },
  };
}
