import assert from "node:assert/strict";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { systemClock } from "@weft/base/clock";
import { FakeAds } from "@weft/testkit/fake-ads";
import { untilFound } from "@weft/testkit/until";
import { ClusterSchema } from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import { ClusterLoadAssignmentSchema } from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_pb";
import { ListenerSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import { RouteConfigurationSchema } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { Log } from "./admin/log.ts";
import { decodeBootstrap } from "./config/bootstrap.ts";
import { parseDocument } from "./config/document.ts";
import { extensionRegistry as registry } from "./config/extension-registry.ts";
import { Sidecar, type SidecarOptions } from "./sidecar.ts";

export const cluster = (name: string) =>
  fromJson(ClusterSchema, { name, type: "EDS", edsClusterConfig: { edsConfig: { ads: {} } } });

export const endpoints = (name: string, port: number, address = "127.0.0.1") =>
  fromJson(ClusterLoadAssignmentSchema, {
    clusterName: name,
    endpoints: [
      { lbEndpoints: [{ endpoint: { address: { socketAddress: { address, portValue: port } } } }] },
    ],
  });

export const routes = (name: string, target: string) =>
  fromJson(RouteConfigurationSchema, {
    name,
    virtualHosts: [
      { name: "v", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: target } }] },
    ],
  });

export function listener(name: string, transportSocket?: JsonValue, statPrefix = "s") {
  const manager = {
    "@type":
      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    statPrefix,
    rds: { routeConfigName: "r", configSource: { ads: {} } },
    httpFilters: [
      {
        name: "router",
        typedConfig: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
      },
    ],
  };
  return fromJson(
    ListenerSchema,
    {
      name,
      address: { socketAddress: { address: "127.0.0.1", portValue: 0 } },
      filterChains: [
        { filters: [{ name: "hcm", typedConfig: manager }], ...(transportSocket ? { transportSocket } : {}) },
      ],
    },
    { registry },
  );
}

export interface RunningSidecar {
  readonly ads: FakeAds;
  readonly sidecar: Sidecar;
  /** The lines of the proxy's own log. */
  readonly log: string[];
  admin(path: string): Promise<{ status: number; text: string }>;
  portOf(listener: string): Promise<number>;
  ready(): Promise<void>;
  stop(): Promise<void>;
}

/** A sidecar whose only configuration is where its ADS server and admin endpoint are. */
export async function startSidecar(
  mode: "GRPC" | "DELTA_GRPC",
  { ads: given, ...options }: { readonly ads?: FakeAds } & Partial<SidecarOptions> = {},
): Promise<RunningSidecar> {
  const ads = given ?? (await FakeAds.start());
  const bootstrap = decodeBootstrap(
    parseDocument(
      "bootstrap.yaml",
      `
node: { id: test, cluster: test }
admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }
dynamic_resources:
  ads_config: { api_type: ${mode}, grpc_services: [{ envoy_grpc: { cluster_name: xds } }] }
  lds_config: { ads: {} }
  cds_config: { ads: {} }
static_resources:
  clusters:
    - name: xds
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: { http2_protocol_options: {} }
      load_assignment:
        cluster_name: xds
        endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${ads.port} } } } }] }]
`,
    ),
  );
  const log: string[] = [];
  const sidecar = new Sidecar(
    bootstrap,
    { version: "test", ...options },
    new Log("info", systemClock, (line) => log.push(line)),
    systemClock,
  );
  await sidecar.start();
  const admin = async (path: string) => {
    const address = sidecar.adminAddress;
    assert.ok(address?.kind === "ip");
    const response = await fetch(`http://127.0.0.1:${address.port}${path}`);
    return { status: response.status, text: await response.text() };
  };
  const until = <T>(ask: () => Promise<T | undefined>): Promise<T> =>
    untilFound(`${ask}`, ask, { everyMs: 10, said: () => log.join("") });
  return {
    ads,
    sidecar,
    log,
    admin,
    portOf: (name) =>
      until(async () => {
        const found = new RegExp(`^${name}::127\\.0\\.0\\.1:(\\d+)`, "m").exec(
          (await admin("/listeners")).text,
        );
        return found ? Number(found[1]) : undefined;
      }),
    ready: async () => {
      await until(async () => ((await admin("/ready")).status === 200 ? true : undefined));
    },
    async stop() {
      await sidecar.close();
      await ads.close();
    },
  };
}
