import { isIP } from "node:net";
import { stringify } from "yaml";
import { type MetricOptions, metricsBootstrap } from "../metrics/metric-options.ts";
import { localityJson, type NodeLocality } from "../workload-plan.ts";

/** Everything in a sidecar's bootstrap that differs from one workload to the next. */
export interface BootstrapPlan {
  readonly nodeId: string;
  readonly nodeCluster: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly locality?: NodeLocality | undefined;
  /** What the data plane can do here, for `client_features`. */
  readonly clientFeatures: readonly string[];
  readonly controlPlane: { readonly host: string; readonly port: number };
  /** The identity the control plane must prove. */
  readonly controlPlaneSpiffeId: string;
  readonly sdsSocketPath: string;
  readonly admin: Endpoint;
  /** Where Prometheus scrapes `/stats/prometheus`. */
  readonly stats: OpenEndpoint;
  /** The agent's own page of statistics, for a sidecar that has only a part of them. */
  readonly statsSocketPath?: string;
  /** How the sidecar counts, where it does so by itself. */
  readonly metrics: MetricOptions;
  /** Where a load balancer or kubelet asks `/healthz/ready`. */
  readonly health: OpenEndpoint;
}

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** What others connect to, at each of these addresses. */
export interface OpenEndpoint {
  readonly addresses: readonly string[];
  readonly port: number;
}

/** The serving certificate names this, wherever the control plane is. */
const controlPlaneName = "weft-control-plane";

/**
 * The sidecar's bootstrap in Envoy's own format, accepted by Envoy and by
 * `weft proxy` alike: delta ADS from the control plane over mutual TLS, secrets
 * from the agent's Unix socket, and Istio's statistics and health listeners.
 */
export function buildBootstrap(plan: BootstrapPlan): string {
  return stringify(
    {
      node: {
        id: plan.nodeId,
        cluster: plan.nodeCluster,
        metadata: plan.metadata,
        ...(plan.locality ? { locality: localityJson(plan.locality) } : {}),
        ...(plan.clientFeatures.length > 0 ? { client_features: [...plan.clientFeatures] } : {}),
      },
      admin: { address: socketAddress(plan.admin) },
      ...metricsBootstrap(plan.metrics),
      dynamic_resources: {
        ads_config: {
          api_type: "DELTA_GRPC",
          transport_api_version: "V3",
          set_node_on_first_message_only: true,
          grpc_services: [{ envoy_grpc: { cluster_name: "xds-grpc" } }],
        },
        lds_config: { ads: {}, resource_api_version: "V3", initial_fetch_timeout: "0s" },
        cds_config: { ads: {}, resource_api_version: "V3", initial_fetch_timeout: "0s" },
      },
      static_resources: {
        clusters: [
          controlPlaneCluster(plan),
          sdsCluster(plan),
          adminCluster(plan),
          ...(plan.statsSocketPath ? [agentStatsCluster(plan.statsSocketPath)] : []),
        ],
        listeners: [
          adminListener("stats", plan.stats, [
            {
              match: { prefix: "/stats/prometheus" },
              route: plan.statsSocketPath ? { cluster: "agent_stats" } : toAdmin(),
            },
          ]),
          adminListener("health", plan.health, [
            { match: { path: "/healthz/ready" }, route: toAdmin("/ready") },
            { match: { path: "/ready" }, route: toAdmin() },
          ]),
        ],
      },
    },
    { aliasDuplicateObjects: false, lineWidth: 0 },
  );
}

function controlPlaneCluster({ controlPlane, controlPlaneSpiffeId }: BootstrapPlan) {
  return {
    name: "xds-grpc",
    type: isIP(controlPlane.host) ? "STATIC" : "STRICT_DNS",
    connect_timeout: "2s",
    ...http2({
      connection_keepalive: { interval: "30s", timeout: "10s" },
    }),
    upstream_connection_options: { tcp_keepalive: { keepalive_time: 60 } },
    load_assignment: loadAssignment(
      "xds-grpc",
      socketAddress({ address: controlPlane.host, port: controlPlane.port }),
    ),
    transport_socket: {
      name: "envoy.transport_sockets.tls",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        sni: controlPlaneName,
        common_tls_context: {
          alpn_protocols: ["h2"],
          tls_certificate_sds_secret_configs: [secret("default")],
          combined_validation_context: {
            default_validation_context: {
              match_typed_subject_alt_names: [{ san_type: "URI", matcher: { exact: controlPlaneSpiffeId } }],
            },
            validation_context_sds_secret_config: secret("ROOTCA"),
          },
        },
      },
    },
  };
}

function sdsCluster({ sdsSocketPath }: BootstrapPlan) {
  return {
    name: "sds-grpc",
    type: "STATIC",
    connect_timeout: "1s",
    ...http2({}),
    load_assignment: loadAssignment("sds-grpc", { pipe: { path: sdsSocketPath } }),
  };
}

/** The admin interface as an upstream, so that statistics can be read without reaching the rest of it. */
function adminCluster({ admin }: BootstrapPlan) {
  return {
    name: "prometheus_stats",
    type: "STATIC",
    connect_timeout: "0.250s",
    load_assignment: loadAssignment("prometheus_stats", socketAddress(admin)),
  };
}

function agentStatsCluster(path: string) {
  return {
    name: "agent_stats",
    type: "STATIC",
    connect_timeout: "0.250s",
    load_assignment: loadAssignment("agent_stats", { pipe: { path } }),
  };
}

function toAdmin(prefixRewrite?: string) {
  return { cluster: "prometheus_stats", ...(prefixRewrite ? { prefix_rewrite: prefixRewrite } : {}) };
}

function adminListener(name: string, { addresses, port }: OpenEndpoint, routes: readonly object[]) {
  const [first, ...others] = addresses.map((address) => ({ address: socketAddress({ address, port }) }));
  return {
    name,
    ...first,
    ...(others.length > 0 ? { additional_addresses: others } : {}),
    filter_chains: [
      {
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typed_config: {
              "@type":
                "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
              codec_type: "AUTO",
              stat_prefix: name,
              route_config: { name, virtual_hosts: [{ name: "backend", domains: ["*"], routes }] },
              http_filters: [
                {
                  name: "envoy.filters.http.router",
                  typed_config: {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                  },
                },
              ],
            },
          },
        ],
      },
    ],
  };
}

function http2(options: object) {
  return {
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config: { http2_protocol_options: options },
      },
    },
  };
}

function secret(name: string) {
  return {
    name,
    sds_config: {
      resource_api_version: "V3",
      initial_fetch_timeout: "0s",
      api_config_source: {
        api_type: "GRPC",
        transport_api_version: "V3",
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: "sds-grpc" } }],
      },
    },
  };
}

function loadAssignment(name: string, address: object) {
  return { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] };
}

function socketAddress({ address, port }: Endpoint) {
  return { socket_address: { address, port_value: port } };
}
