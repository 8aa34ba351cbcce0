/** The metrics that golden signals are made of; nothing else that arrives is kept. */
export const keptMetrics = {
  requests: "istio_requests_total",
  duration: "istio_request_duration_milliseconds",
  tcpOpened: "istio_tcp_connections_opened_total",
  tcpClosed: "istio_tcp_connections_closed_total",
  certificateNotBefore: "weft_certificate_not_before_timestamp_seconds",
  certificateNotAfter: "weft_certificate_not_after_timestamp_seconds",
  /** Of a sidecar: the share of time its event loop was busy, 0–1. */
  loopUtilization: "weft_event_loop_utilization",
  loopLagP99: "weft_event_loop_lag_p99_ms",
  memory: "envoy_server_memory_physical_size",
  /** Over all listeners, and requests that wait for a connection over all clusters. */
  downstreamConnections: "envoy_listener_downstream_cx_active",
  pendingRequests: "envoy_cluster_upstream_rq_pending_active",
  /** Circuit breakers that let nothing more through, over all clusters. */
  openConnectionBreakers: "envoy_cluster_circuit_breakers_default_cx_open",
  openPendingBreakers: "envoy_cluster_circuit_breakers_default_rq_pending_open",
  openRequestBreakers: "envoy_cluster_circuit_breakers_default_rq_open",
  openFiles: "weft_open_fds",
} as const;

export type KeptMetric = (typeof keptMetrics)[keyof typeof keptMetrics];

/** Labels that are asked of callers alone, and kept of no other series. */
export const sourceLabels = [
  "destination_service",
  "destination_principal",
  "destination_canonical_revision",
] as const;

/** Labels that are asked of destinations alone: who a caller says it is, which its certificate must bear out. */
export const callerLabels = ["source_workload", "source_workload_namespace"] as const;

/**
 * The labels that decide an answer of `weft stat` or `weft edges`; series that differ only in
 * others are added up on arrival, which keeps the number of series small
 * whatever labels a proxy invents.
 */
export const keptLabels = [
  "reporter",
  "source_principal",
  "connection_security_policy",
  "response_code",
  "grpc_response_status",
  "response_flags",
  ...sourceLabels,
  ...callerLabels,
] as const;

export type KeptLabel = (typeof keptLabels)[number];
export type Labels = Readonly<Partial<Record<KeptLabel, string>>>;

/** Cumulative counts per bucket; `counts` is one longer than `bounds`, its last being above every bound. */
export interface BucketCounts {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
}

/** One cumulative value, as exported: a counter's or gauge's `value`, or a histogram's count and buckets. */
export interface Sample {
  readonly metric: KeptMetric;
  readonly labels: Labels;
  readonly value: number;
  readonly buckets?: BucketCounts;
}

const metrics: ReadonlySet<string> = new Set(Object.values(keptMetrics));

export function isKeptMetric(name: string): name is KeptMetric {
  return metrics.has(name);
}
