import type { MessageSupport } from "./message-support.ts";

/** What this proxy does with the messages of tracing. */
export function tracingSupport(): Record<string, MessageSupport> {
  const trace = "envoy.config.trace.v3.";
  const tag = "envoy.type.tracing.v3.CustomTag";
  const metadata = "envoy.type.metadata.v3.";
  return {
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.Tracing": {
      implemented:
        "client_sampling random_sampling overall_sampling max_path_tag_length custom_tags provider spawn_upstream_span operation upstream_operation",
      neutral: "verbose",
    },
    "envoy.config.route.v3.Tracing": {
      implemented:
        "client_sampling random_sampling overall_sampling custom_tags operation upstream_operation",
    },
    "envoy.config.route.v3.Decorator": { implemented: "operation propagate" },
    [`${trace}Tracing.Http`]: { implemented: "name typed_config" },
    [`${trace}OpenTelemetryConfig`]: {
      implemented: "grpc_service http_service service_name max_cache_size resource_detectors",
    },
    [`${trace}ZipkinConfig`]: {
      implemented:
        "collector_cluster collector_endpoint trace_id_128bit shared_span_context collector_endpoint_version collector_hostname collector_service",
      neutral: "split_spans_for_request trace_context_option",
    },
    "envoy.extensions.tracers.opentelemetry.resource_detectors.v3.EnvironmentResourceDetectorConfig": {
      implemented: "",
    },
    "envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig": {
      implemented: "pack_trace_reason use_request_id_for_trace_sampling",
    },
    "envoy.config.core.v3.HttpService": { implemented: "http_uri request_headers_to_add" },
    [tag]: { implemented: "tag literal environment request_header metadata value" },
    [`${tag}.Literal`]: { implemented: "value" },
    [`${tag}.Environment`]: { implemented: "name default_value" },
    [`${tag}.Header`]: { implemented: "name default_value" },
    [`${tag}.Metadata`]: { implemented: "kind metadata_key default_value" },
    [`${metadata}MetadataKind`]: { implemented: "request route" },
    [`${metadata}MetadataKind.Request`]: { implemented: "" },
    [`${metadata}MetadataKind.Route`]: { implemented: "" },
    [`${metadata}MetadataKey`]: { implemented: "key path" },
    [`${metadata}MetadataKey.PathSegment`]: { implemented: "key" },
  };
}
