import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "@weft/base/errors";
import { compileText } from "./testing.ts";

const type = (name: string) => ({ "@type": `type.googleapis.com/envoy.${name}` });
const address = { socket_address: { address: "127.0.0.1", port_value: 0 } };
const certificate = { certificate_chain: { inline_string: "a" }, private_key: { inline_string: "b" } };
const service = { envoy_grpc: { cluster_name: "up" } };

interface Parts {
  readonly top?: object;
  readonly cluster?: object;
  readonly listener?: object;
  readonly certificate?: object;
  readonly httpFilter?: object;
}

function bootstrap({ top, cluster, listener, certificate: more, httpFilter }: Parts): string {
  const manager = {
    ...type("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "main",
    route_config: {},
    http_filters: [
      ...(httpFilter ? [{ name: "extra", typed_config: httpFilter }] : []),
      { name: "router", typed_config: type("extensions.filters.http.router.v3.Router") },
    ],
  };
  const transport_socket = more && {
    name: "tls",
    typed_config: {
      ...type("extensions.transport_sockets.tls.v3.DownstreamTlsContext"),
      common_tls_context: { tls_certificates: [{ ...certificate, ...more }] },
    },
  };
  const filter_chains = [{ filters: [{ name: "http", typed_config: manager }], transport_socket }];
  return JSON.stringify({
    ...top,
    static_resources: {
      listeners: [{ name: "main", address, filter_chains, ...listener }],
      clusters: [{ name: "up", connect_timeout: "1s", load_assignment: { cluster_name: "up" }, ...cluster }],
    },
  });
}

/** What Envoy does and this proxy does not: said, with the place, and never ignored. */
const asked: readonly (readonly [field: string, parts: Parts])[] = [
  [
    "cluster_manager.load_stats_config",
    { top: { cluster_manager: { load_stats_config: { grpc_services: [service] } } } },
  ],
  ["static_resources.clusters[0].lrs_server", { cluster: { lrs_server: { self: {} } } }],
  [
    "layered_runtime.layers[0].disk_layer",
    { top: { layered_runtime: { layers: [{ name: "d", disk_layer: { symlink_root: "/x" } }] } } },
  ],
  [
    "layered_runtime.layers[0].rtds_layer",
    { top: { layered_runtime: { layers: [{ name: "r", rtds_layer: { name: "r" } }] } } },
  ],
  [
    "stats_config.stats_tags",
    { top: { stats_config: { stats_tags: [{ tag_name: "a", fixed_value: "b" }] } } },
  ],
  ["hds_config", { top: { hds_config: { api_type: "GRPC", grpc_services: [service] } } }],
  ["watchdogs", { top: { watchdogs: { main_thread_watchdog: {} } } }],
  ["bootstrap_extensions", { top: { bootstrap_extensions: [{ name: "x" }] } }],
  ["ocsp_staple", { certificate: { ocsp_staple: { inline_string: "x" } } }],
  ["private_key_provider", { certificate: { private_key_provider: { provider_name: "x" } } }],
  ["static_resources.listeners[0].udp_listener_config", { listener: { udp_listener_config: {} } }],
  ["static_resources.listeners[0].internal_listener", { listener: { internal_listener: {} } }],
  ["static_resources.listeners[0].socket_options", { listener: { socket_options: [{ description: "x" }] } }],
  ...[
    "lua.v3.Lua",
    "wasm.v3.Wasm",
    "ext_proc.v3.ExternalProcessor",
    "adaptive_concurrency.v3.AdaptiveConcurrency",
  ].map(
    (name) =>
      [`${name} is not implemented`, { httpFilter: type(`extensions.filters.http.${name}`) }] as const,
  ),
  ...[
    "admission_control.v3.AdmissionControl",
    "bandwidth_limit.v3.BandwidthLimit",
    "tap.v3.Tap",
    "oauth2.v3.OAuth2",
  ].map(
    (name) =>
      [`${name} is not implemented`, { httpFilter: type(`extensions.filters.http.${name}`) }] as const,
  ),
];

for (const [field, parts] of asked) {
  test(`a bootstrap that asks for what is not served is refused by name: ${field}`, () => {
    assert.throws(
      () => compileText(bootstrap(parts)),
      (error) => {
        assert.ok(error instanceof UserError, String(error));
        const line = error.message.split("\n").find((one) => one.includes(field));
        assert.match(line ?? error.message, /^bootstrap\.yaml:1:\d+: .*is not implemented by this proxy/);
        return true;
      },
    );
  });
}
