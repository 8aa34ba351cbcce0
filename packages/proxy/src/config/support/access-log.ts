import type { MessageSupport } from "./message-support.ts";

/** What this proxy does with the messages of access logs. */
export function accessLogSupport(): Record<string, MessageSupport> {
  const p = "envoy.config.accesslog.v3.";
  const otel = "opentelemetry.proto.common.v1.";
  return {
    [`${p}AccessLog`]: { implemented: "name filter typed_config" },
    [`${p}AccessLogFilter`]: {
      implemented:
        "status_code_filter duration_filter and_filter or_filter header_filter response_flag_filter not_health_check_filter runtime_filter grpc_status_filter metadata_filter log_type_filter traceable_filter extension_filter",
    },
    [`${p}ExtensionFilter`]: { implemented: "name typed_config" },
    "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter": { implemented: "expression" },
    [`${p}TraceableFilter`]: { implemented: "" },
    [`${p}NotHealthCheckFilter`]: { implemented: "" },
    [`${p}RuntimeFilter`]: { implemented: "runtime_key percent_sampled use_independent_randomness" },
    [`${p}GrpcStatusFilter`]: { implemented: "statuses exclude" },
    [`${p}MetadataFilter`]: { implemented: "matcher match_if_key_not_found" },
    [`${p}LogTypeFilter`]: { implemented: "types exclude" },
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
    "envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig": {
      implemented: "common_config disable_builtin_labels resource_attributes body attributes stat_prefix",
    },
    "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig": {
      implemented:
        "common_config additional_request_headers_to_log additional_response_headers_to_log additional_response_trailers_to_log",
    },
    "envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig": { implemented: "common_config" },
    "envoy.extensions.access_loggers.grpc.v3.CommonGrpcAccessLogConfig": {
      implemented: "log_name grpc_service buffer_flush_interval buffer_size_bytes custom_tags",
      harmless: { transport_api_version: "v3 is the only version" },
    },
    [`${otel}KeyValueList`]: { implemented: "values" },
    [`${otel}KeyValue`]: { implemented: "key value" },
    [`${otel}AnyValue`]: {
      implemented: "string_value kvlist_value array_value bool_value int_value double_value bytes_value",
    },
    [`${otel}ArrayValue`]: { implemented: "values" },
    "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog": { implemented: "log_format" },
    "envoy.extensions.access_loggers.stream.v3.StderrAccessLog": { implemented: "log_format" },
  };
}
