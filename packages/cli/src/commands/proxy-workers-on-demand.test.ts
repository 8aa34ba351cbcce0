import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { TestHostServer } from "@weft/proxy/test-host-server";
import { freePort } from "@weft/testkit/free-port";
import { weftProgram } from "@weft/testkit/weft-program";
import { VirtualHostSchema } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import { RouteConfigurationSchema } from "@weft/xds/gen/envoy/config/route/v3/route_pb";

const directory = mkdtempSync(join(tmpdir(), "weft-workers-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const source = { ads: {}, resource_api_version: "V3" };
const type = "type.googleapis.com/envoy.extensions.filters";
const address = (port: number): JsonObject => ({
  address: { socket_address: { address: "127.0.0.1", port_value: port } },
});

function bootstrap(port: number, xds: number): JsonObject {
  const filter = (name: string, proto: string) => ({
    name: `envoy.filters.http.${name}`,
    typed_config: { "@type": `${type}.http.${proto}` },
  });
  const manager = {
    "@type": `${type}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "main",
    rds: { route_config_name: "rc", config_source: source },
    http_filters: [filter("on_demand", "on_demand.v3.OnDemand"), filter("router", "router.v3.Router")],
  };
  const http2 = {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    explicit_http_config: { http2_protocol_options: {} },
  };
  return {
    node: { id: "workers", cluster: "test" },
    dynamic_resources: {
      ads_config: { api_type: "DELTA_GRPC", grpc_services: [{ envoy_grpc: { cluster_name: "xds" } }] },
    },
    static_resources: {
      listeners: [
        {
          name: "l",
          ...address(port),
          filter_chains: [{ filters: [{ name: "hcm", typed_config: manager }] }],
        },
      ],
      clusters: [
        {
          name: "xds",
          type: "STATIC",
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2,
          },
          load_assignment: {
            cluster_name: "xds",
            endpoints: [{ lb_endpoints: [{ endpoint: address(xds) }] }],
          },
        },
      ],
    },
  };
}

function get(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { host: "a.example" };
    const call = request({ port, host: "127.0.0.1", headers, agent: false }, (answer) => {
      answer.resume().on("end", () => resolve(answer.statusCode!));
    });
    call.on("error", reject).end();
  });
}

test("a virtual host that any worker needs is asked for once, and comes to all of them", async () => {
  const routes = fromJson(RouteConfigurationSchema, { name: "rc", vhds: { config_source: source } });
  const server = await TestHostServer.start(routes);
  const [port, file] = [await freePort(), join(directory, "bootstrap.json")];
  writeFileSync(file, JSON.stringify(bootstrap(port, server.port)));
  const args = ["proxy", "-c", file, "--concurrency", "3"];
  const child = spawn(weftProgram, args, { stdio: ["ignore", "ignore", "pipe"] });
  try {
    let said = "";
    child.stderr.on("data", (chunk) => (said += chunk));
    while (!said.includes("serving")) await Promise.race([once(child.stderr, "data"), once(child, "exit")]);
    const calls = Array.from({ length: 40 }, () => get(port));
    const [client] = server.clients;
    while (client!.said.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    const answer = { status: 204 };
    client!.tell([
      {
        name: "rc/a.example",
        host: fromJson(VirtualHostSchema, {
          name: "a",
          domains: ["a.example"],
          routes: [{ match: { prefix: "/" }, direct_response: answer }],
        }),
      },
    ]);
    assert.deepEqual(new Set(await Promise.all(calls)), new Set([204]));
    const asked = client!.said.filter(({ t }) => t === "asked");
    assert.deepEqual(asked, [{ t: "asked", names: ["rc/a.example"], unsubscribed: [] }]);
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
    await server.close();
  }
});
