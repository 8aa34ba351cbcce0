import type { MessageSupport } from "./message-support.ts";

/** What this proxy does with active health checks. */
export function healthCheckSupport(): Record<string, MessageSupport> {
  const p = "envoy.config.core.v3.HealthCheck";
  return {
    [p]: {
      implemented:
        "timeout interval initial_jitter interval_jitter interval_jitter_percent unhealthy_threshold healthy_threshold alt_port reuse_connection http_health_check tcp_health_check grpc_health_check no_traffic_interval no_traffic_healthy_interval unhealthy_interval unhealthy_edge_interval healthy_edge_interval tls_options transport_socket_match_criteria",
      neutral: "always_log_health_check_failures always_log_health_check_success",
    },
    [`${p}.HttpHealthCheck`]: {
      implemented:
        "host path send receive response_buffer_size request_headers_to_add request_headers_to_remove expected_statuses retriable_statuses codec_client_type service_name_matcher method",
    },
    [`${p}.TcpHealthCheck`]: { implemented: "send receive" },
    [`${p}.GrpcHealthCheck`]: { implemented: "service_name authority initial_metadata" },
    [`${p}.Payload`]: { implemented: "text binary" },
    [`${p}.TlsOptions`]: { implemented: "alpn_protocols" },
    "envoy.extensions.filters.http.health_check.v3.HealthCheck": {
      implemented: "pass_through_mode cache_time cluster_min_healthy_percentages headers",
    },
    "envoy.config.endpoint.v3.Endpoint.HealthCheckConfig": {
      implemented: "port_value hostname address disable_active_health_check",
    },
  };
}
