import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createRegistry, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { FakeAds } from "@weft/testkit/fake-ads";
import { freePort } from "@weft/testkit/free-port";
import { findPeer } from "@weft/testkit/peer";
import { ClusterSchema } from "./gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterLoadAssignmentSchema } from "./gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { ListenerSchema } from "./gen/envoy/config/listener/v3/listener_pb.js";
import { RouteConfigurationSchema } from "./gen/envoy/config/route/v3/route_pb.js";
import { RouterSchema } from "./gen/envoy/extensions/filters/http/router/v3/router_pb.js";
import { HttpConnectionManagerSchema } from "./gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";

const envoy = findPeer("envoy");
const registry = createRegistry(HttpConnectionManagerSchema, RouterSchema);
const adsSource = { ads: {}, resourceApiVersion: "V3" };

const cluster = (name: string) =>
  fromJson(ClusterSchema, {
    name,
    type: "EDS",
    connectTimeout: "1s",
    edsClusterConfig: { edsConfig: adsSource },
  });

const endpoints = (clusterName: string, port: number) =>
  fromJson(ClusterLoadAssignmentSchema, {
    clusterName,
    endpoints: [
      {
        lbEndpoints: [
          { endpoint: { address: { socketAddress: { address: "127.0.0.1", portValue: port } } } },
        ],
      },
    ],
  });

const routes = (clusterName: string) =>
  fromJson(RouteConfigurationSchema, {
    name: "http",
    virtualHosts: [
      { name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: clusterName } }] },
    ],
  });

function listener(port: number, name = "http") {
  const json: JsonValue = {
    name,
    address: { socketAddress: { address: "127.0.0.1", portValue: port } },
    filterChains: [
      {
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typedConfig: {
              "@type":
                "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
              statPrefix: "http",
              rds: { routeConfigName: "http", configSource: adsSource },
              httpFilters: [
                {
                  name: "envoy.filters.http.router",
                  typedConfig: {
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
  return fromJson(ListenerSchema, json, { registry });
}

/** Finds out a free port; the kernel does not give it away again so soon. */
async function backend(answer: string): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((_, response) => response.end(answer)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

async function startEnvoy(adsPort: number, adminPort: number, apiType: string, folder: string) {
  const source = {
    api_type: apiType,
    transport_api_version: "V3",
    grpc_services: [{ envoy_grpc: { cluster_name: "ads" } }],
  };
  const socketAddress = { address: "127.0.0.1", port_value: adsPort };
  const bootstrap = {
    node: { id: "real", cluster: "test", metadata: { NAMESPACE: "default" } },
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: adminPort } } },
    dynamic_resources: {
      ads_config: source,
      lds_config: { ads: {}, resource_api_version: "V3" },
      cds_config: { ads: {}, resource_api_version: "V3" },
    },
    static_resources: {
      clusters: [
        {
          name: "ads",
          type: "STATIC",
          connect_timeout: "1s",
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
              "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: {
            cluster_name: "ads",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: socketAddress } } }] }],
          },
        },
      ],
    },
  };
  const file = join(folder, "bootstrap.json");
  writeFileSync(file, JSON.stringify(bootstrap));
  const args = ["-c", file, "--concurrency", "1", "-l", "error", "--disable-hot-restart"];
  return spawn(envoy!, args, { stdio: ["ignore", "inherit", "inherit"] });
}

const get = async (port: number, path: string) => {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: response.status, text: await response.text() };
};

for (const apiType of ["GRPC", "DELTA_GRPC"]) {
  describe(`real Envoy over ${apiType}`, {
    skip: envoy ? false : "no envoy on PATH, in WEFT_PEERS or ~/.cache/weft/peers",
  }, () => {
    let folder: string;
    let ads: FakeAds;
    let process: ChildProcess;
    let adminPort: number;
    let port: number;
    let v1: Awaited<ReturnType<typeof backend>>;
    let v2: Awaited<ReturnType<typeof backend>>;

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), "weft-envoy-ads-"));
      [adminPort, port] = [await freePort(), await freePort()];
      [v1, v2] = [await backend("v1"), await backend("v2")];
      ads = await FakeAds.start();
      ads.push({
        listeners: [listener(port)],
        routes: [routes("reviews")],
        clusters: [cluster("reviews")],
        endpoints: [endpoints("reviews", v1.port)],
      });
      process = await startEnvoy(ads.port, adminPort, apiType, folder);
      for (const type of ["CDS", "EDS", "LDS", "RDS"] as const) await ads.expectAck(type);
      await ads.settled();
    });

    after(async () => {
      const gone = process?.exitCode === null ? once(process, "exit") : undefined;
      process?.kill("SIGKILL");
      await gone;
      await ads?.close();
      for (const server of [v1?.server, v2?.server]) {
        server?.closeAllConnections();
        server?.close();
      }
      rmSync(folder, { recursive: true });
    });

    it("serves what it was pushed, and shows it in its configuration dump", async () => {
      assert.deepEqual(await get(port, "/"), { status: 200, text: "v1" });
      const dump = (await get(adminPort, "/config_dump?include_eds")).text;
      for (const name of ["dynamic_listeners", "dynamic_active_clusters", "dynamic_route_configs"]) {
        assert.match(dump, new RegExp(name));
      }
      const [session] = await ads.connected(1);
      assert.equal(session!.protocol, apiType === "GRPC" ? "sotw" : "delta");
      assert.match(session!.node.userAgent, /^envoy\/\d/);
      assert.deepEqual(session!.node.metadata, { NAMESPACE: "default" });
    });

    it("moves to another cluster without failing a request", async () => {
      const answers = new Set<string>();
      let isDone = false;
      const traffic = (async () => {
        while (!isDone) {
          const { status, text } = await get(port, "/");
          answers.add(status === 200 ? text : `status ${status}`);
        }
      })();
      ads.push({
        routes: [routes("reviews-v2")],
        clusters: [cluster("reviews-v2")],
        endpoints: [endpoints("reviews-v2", v2.port)],
      });
      for (const type of ["CDS", "EDS", "RDS"] as const) await ads.expectAck(type);
      await ads.settled();
      while (!answers.has("v2") && answers.size < 3) await get(port, "/");
      isDone = true;
      await traffic;
      assert.deepEqual(
        [...answers].toSorted().filter((answer) => answer !== "v1"),
        ["v2"],
      );
      assert.doesNotMatch((await get(adminPort, "/clusters")).text, /^reviews::/m);
    });

    it("takes a changed cluster at once, though its endpoints are the same", async () => {
      const changed = cluster("reviews-v2");
      changed.altStatName = "changed";
      ads.push({ clusters: [changed] });
      await ads.expectAck("CDS");
      await ads.settled();
      const dump = (await get(adminPort, "/config_dump?resource=dynamic_active_clusters")).text;
      assert.match(dump, /"alt_stat_name": "changed"/);
      assert.equal((await get(port, "/")).text, "v2");
    });

    it("keeps the last good listener when it refuses one, and says why", async () => {
      const bad = listener(port, "bad");
      bad.filterChains[0]!.filters[0]!.name = "x";
      bad.filterChains[0]!.filters[0]!.configType = { case: undefined };
      ads.push({ listeners: [listener(port), bad] });
      assert.match(await ads.expectNack("LDS"), /bad/);
      assert.equal((await get(port, "/")).text, "v2");
      ads.push({ listeners: [listener(port)] });
      await ads.expectAck("LDS");
    });

    it("comes back after the stream was lost", async () => {
      ads.disconnect();
      await ads.connected(0);
      ads.push({ endpoints: [endpoints("reviews-v2", v1.port)] });
      await ads.connected(1);
      await ads.settled();
      for (let text = ""; text !== "v1"; ) ({ text } = await get(port, "/"));
    });
  });
}
