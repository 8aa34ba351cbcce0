/** One chart or number: its title, Grafana's unit, and what it asks Prometheus by legend. */
export interface Panel {
  readonly title: string;
  readonly unit: string;
  /** Default: a time series. */
  readonly type?: "timeseries" | "stat" | "table";
  /** PromQL by legend. */
  readonly queries: Readonly<Record<string, string>>;
}

export interface Dashboard {
  /** Also the name of its file. */
  readonly uid: string;
  readonly title: string;
  /** Variables that a person chooses, by name, each with the `label_values` query of its choices. */
  readonly variables: Readonly<Record<string, string>>;
  readonly panels: readonly Panel[];
}

const requests = (labels: string): string => `rate(istio_requests_total{${labels}}[$__rate_interval])`;

/** An answer that the caller got and that is not the server's failure; 0 is a call nobody answered. */
const answered = 'response_code!~"5..|0"';

function rate(labels: string, by?: string): string {
  return `sum${by ? ` by (${by})` : ""} (${requests(labels)})`;
}

function success(labels: string): string {
  return `${rate(`${labels},${answered}`)} / ${rate(labels)}`;
}

function latency(labels: string): Record<string, string> {
  const buckets = `rate(istio_request_duration_milliseconds_bucket{${labels}}[$__rate_interval])`;
  const at = (q: number) => `histogram_quantile(${q}, sum by (le) (${buckets}))`;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

function bytes(metric: string, labels: string): string {
  return `sum (rate(${metric}{${labels}}[$__rate_interval]))`;
}

function signals(labels: string): Panel[] {
  return [
    { title: "Requests per second", unit: "reqps", type: "stat", queries: { requests: rate(labels) } },
    { title: "Success", unit: "percentunit", type: "stat", queries: { success: success(labels) } },
    { title: "Latency", unit: "ms", queries: latency(labels) },
    {
      title: "Requests by answer",
      unit: "reqps",
      queries: { "{{response_code}} {{response_flags}}": rate(labels, "response_code, response_flags") },
    },
  ];
}

function tcp(labels: string): Panel {
  return {
    title: "TCP",
    unit: "Bps",
    queries: {
      sent: bytes("istio_tcp_sent_bytes_total", labels),
      received: bytes("istio_tcp_received_bytes_total", labels),
    },
  };
}

const source = 'reporter="source"';
const toService = 'reporter="destination",destination_service=~"$service"';
const toWorkload =
  'reporter="destination",destination_workload_namespace=~"$namespace",destination_workload=~"$workload"';
const fromWorkload = 'reporter="source",source_workload_namespace=~"$namespace",source_workload=~"$workload"';
const proxyOf = 'namespace=~"$namespace",pod=~"$workload.*"';

function openBreakers(of: string): string {
  return `sum by (pod) (envoy_cluster_circuit_breakers_default_${of}_open{${proxyOf}})`;
}

const mesh: Dashboard = {
  uid: "weft-mesh",
  title: "Weft: mesh",
  variables: {},
  panels: [
    ...signals(source),
    {
      title: "Services",
      unit: "reqps",
      type: "table",
      queries: { "{{destination_service}}": rate(source, "destination_service") },
    },
    {
      title: "Failures by service",
      unit: "reqps",
      queries: {
        "{{destination_service}}": `${rate(`${source},response_code=~"5..|0"`, "destination_service")} or vector(0)`,
      },
    },
    tcp(source),
    { title: "Proxies by state", unit: "short", queries: { "{{state}}": "weft_proxies" } },
  ],
};

const service: Dashboard = {
  uid: "weft-service",
  title: "Weft: service",
  variables: { service: "label_values(istio_requests_total, destination_service)" },
  panels: [
    ...signals(toService),
    {
      title: "Callers",
      unit: "reqps",
      queries: { "{{source_workload}}": rate(toService, "source_workload, source_workload_namespace") },
    },
    {
      title: "Versions",
      unit: "reqps",
      queries: { "{{destination_version}}": rate(toService, "destination_version") },
    },
    {
      title: "Bytes",
      unit: "Bps",
      queries: {
        requests: bytes("istio_request_bytes_sum", toService),
        responses: bytes("istio_response_bytes_sum", toService),
      },
    },
  ],
};

const workload: Dashboard = {
  uid: "weft-workload",
  title: "Weft: workload",
  variables: {
    namespace: "label_values(istio_requests_total, destination_workload_namespace)",
    workload:
      'label_values(istio_requests_total{destination_workload_namespace=~"$namespace"}, destination_workload)',
  },
  panels: [
    ...signals(toWorkload),
    {
      title: "Calls it makes",
      unit: "reqps",
      queries: { "{{destination_service}}": rate(fromWorkload, "destination_service") },
    },
    { title: "Latency of calls it makes", unit: "ms", queries: latency(fromWorkload) },
    {
      title: "Memory of its proxy",
      unit: "bytes",
      queries: { "{{pod}}": `envoy_server_memory_physical_size{${proxyOf}}` },
    },
    {
      title: "Event loop of its proxy (weft only)",
      unit: "percentunit",
      queries: { "{{pod}}": `weft_event_loop_utilization{${proxyOf}}` },
    },
    {
      title: "Connections to its proxy",
      unit: "short",
      queries: { "{{pod}}": `sum by (pod) (envoy_listener_downstream_cx_active{${proxyOf}})` },
    },
    {
      title: "Requests waiting for a connection",
      unit: "short",
      queries: { "{{pod}}": `sum by (pod) (envoy_cluster_upstream_rq_pending_active{${proxyOf}})` },
    },
    {
      title: "Circuit breakers open",
      unit: "short",
      queries: {
        "{{pod}}: connections": openBreakers("cx"),
        "{{pod}}: requests": openBreakers("rq"),
        "{{pod}}: waiting requests": openBreakers("rq_pending"),
      },
    },
    {
      title: "Lag of its proxy's event loop (weft only)",
      unit: "ms",
      queries: { "{{pod}}": `weft_event_loop_lag_p99_ms{${proxyOf}}` },
    },
    {
      title: "Files and sockets of its proxy, of those it may have (weft only)",
      unit: "percentunit",
      queries: { "{{pod}}": `weft_open_fds{${proxyOf}} / weft_max_fds{${proxyOf}}` },
    },
  ],
};

function quantile(metric: string): Record<string, string> {
  const at = (q: number) =>
    `histogram_quantile(${q}, sum by (le) (rate(${metric}_bucket[$__rate_interval])))`;
  return { p50: at(0.5), p99: at(0.99) };
}

const controlPlane: Dashboard = {
  uid: "weft-control-plane",
  title: "Weft: control plane",
  variables: {},
  panels: [
    { title: "Version", unit: "short", type: "table", queries: { "{{tag}}": "sum by (tag) (istio_build)" } },
    { title: "xDS clients", unit: "short", type: "stat", queries: { clients: "sum (pilot_xds)" } },
    { title: "Workloads", unit: "short", type: "stat", queries: { workloads: "sum (weft_workloads)" } },
    {
      title: "Configuration errors",
      unit: "short",
      type: "stat",
      queries: { errors: "sum (weft_config_errors)" },
    },
    { title: "Proxies by state", unit: "short", queries: { "{{state}}": "weft_proxies" } },
    {
      title: "Answers by type",
      unit: "ops",
      queries: { "{{type}}": "sum by (type) (rate(pilot_xds_pushes[$__rate_interval]))" },
    },
    {
      title: "Why it pushed",
      unit: "ops",
      queries: { "{{type}}": "sum by (type) (rate(pilot_push_triggers[$__rate_interval]))" },
    },
    {
      title: "Refusals and errors",
      unit: "ops",
      queries: {
        refused: "sum (rate(pilot_total_xds_rejects[$__rate_interval])) or vector(0)",
        failed: "sum (rate(pilot_total_xds_internal_errors[$__rate_interval]))",
      },
    },
    {
      title: "From change to last acknowledgement",
      unit: "s",
      queries: quantile("pilot_proxy_convergence_time"),
    },
    { title: "Time of a push", unit: "s", queries: quantile("pilot_xds_push_time") },
    {
      title: "Memory",
      unit: "bytes",
      queries: {
        resident: 'process_resident_memory_bytes{app="istiod"}',
        virtual: 'process_virtual_memory_bytes{app="istiod"}',
      },
    },
    {
      title: "Processor",
      unit: "percentunit",
      queries: { cores: 'rate(process_cpu_seconds_total{app="istiod"}[$__rate_interval])' },
    },
    { title: "Open files", unit: "short", queries: { open: 'process_open_fds{app="istiod"}' } },
    {
      title: "Event loop",
      unit: "percentunit",
      queries: { busy: 'nodejs_eventloop_utilization{app="istiod"}' },
    },
    {
      title: "Lag of the event loop",
      unit: "s",
      queries: { p99: 'nodejs_eventloop_lag_p99_seconds{app="istiod"}' },
    },
    {
      title: "Size of an answer, by type",
      unit: "bytes",
      queries: {
        "{{type}}":
          "sum by (type) (rate(pilot_xds_config_size_bytes_sum[$__rate_interval])) / sum by (type) (rate(pilot_xds_config_size_bytes_count[$__rate_interval]))",
      },
    },
    {
      title: "What keeps clients waiting",
      unit: "ops",
      queries: {
        "held back": "sum (rate(pilot_xds_delayed_pushes_total[$__rate_interval])) or vector(0)",
        unanswered: "sum (rate(pilot_xds_delayed_push_timeouts_total[$__rate_interval])) or vector(0)",
        "not read": "sum (rate(pilot_xds_write_timeout[$__rate_interval])) or vector(0)",
      },
    },
  ],
};

const destination = 'reporter="destination"';
const security: Dashboard = {
  uid: "weft-security",
  title: "Weft: security",
  variables: {},
  panels: [
    {
      title: "Share of requests under mutual TLS",
      unit: "percentunit",
      type: "stat",
      queries: {
        secured: `${rate(`${destination},connection_security_policy="mutual_tls"`)} / ${rate(destination)}`,
      },
    },
    {
      title: "Requests without mutual TLS, by service",
      unit: "reqps",
      queries: {
        "{{destination_service}}": `${rate(`${destination},connection_security_policy!="mutual_tls"`, "destination_service")} or vector(0)`,
      },
    },
    {
      title: "Who calls whom",
      unit: "reqps",
      type: "table",
      queries: {
        "{{source_principal}} → {{destination_principal}}": rate(
          destination,
          "source_principal, destination_principal",
        ),
      },
    },
    {
      title: "Denied (401, 403), by service",
      unit: "reqps",
      queries: {
        "{{destination_service}}": `${rate(`${destination},response_code=~"401|403"`, "destination_service")} or vector(0)`,
      },
    },
    {
      title: "Certificates: life left",
      unit: "s",
      queries: { "{{workload}}": "weft_certificate_expiry_timestamp_seconds - time()" },
    },
    {
      title: "Root certificate: life left",
      unit: "s",
      type: "stat",
      queries: { root: "citadel_server_root_cert_expiry_timestamp - time()" },
    },
    {
      title: "Certificates issued",
      unit: "ops",
      queries: { issued: "rate(citadel_server_success_cert_issuance_count[$__rate_interval])" },
    },
  ],
};

/** What Weft brings for Grafana. */
export const dashboards: readonly Dashboard[] = [mesh, service, workload, controlPlane, security];
