import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { systemClock } from "@weft/base/clock";
import { FakeAds } from "@weft/testkit/fake-ads";
import { until as untilTrue } from "@weft/testkit/until";
import { Log } from "./admin/log.ts";
import { decodeBootstrap } from "./config/bootstrap.ts";
import { parseDocument } from "./config/document.ts";
import { Sidecar } from "./sidecar.ts";
import { cluster, endpoints } from "./test-sidecar.ts";

const directory = mkdtempSync(join(tmpdir(), "weft-sources-"));
let upstream: Server;
before(async () => {
  upstream = createServer((_, response) => response.end("upstream")).listen(0, "127.0.0.1");
  await once(upstream, "listening");
});
after(() => {
  upstream.close();
  rmSync(directory, { recursive: true });
});

const portOf = (server: Server) => (server.address() as AddressInfo).port;
const path = (name: string) => join(directory, name);
const type = (name: string) => `type.googleapis.com/envoy.config.${name}`;

/** Replaces a file as Envoy asks: written elsewhere, moved into place. */
function put(name: string, resources: readonly object[]): void {
  writeFileSync(path(`${name}.next`), JSON.stringify({ versionInfo: "1", resources }));
  renameSync(path(`${name}.next`), path(name));
}

const file = (name: string) => ({ path_config_source: { path: path(name) } });

const listener = (name: string) => ({
  "@type": type("listener.v3.Listener"),
  name,
  address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
  filter_chains: [
    {
      filters: [
        {
          name: "hcm",
          typed_config: {
            "@type":
              "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            stat_prefix: name,
            rds: { route_config_name: "r", config_source: file("rds.json") },
            http_filters: [
              {
                name: "router",
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
});

const routes = (route: object) => ({
  "@type": type("route.v3.RouteConfiguration"),
  name: "r",
  virtual_hosts: [{ name: "v", domains: ["*"], routes: [{ match: { prefix: "/" }, ...route }] }],
});

const edsCluster = (name: string, source: object) => ({
  "@type": type("cluster.v3.Cluster"),
  name,
  type: "EDS",
  eds_cluster_config: { eds_config: source },
});

const assignment = (name: string, port: number) => ({
  "@type": type("endpoint.v3.ClusterLoadAssignment"),
  cluster_name: name,
  endpoints: [
    {
      lb_endpoints: [
        { endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } } },
      ],
    },
  ],
});

async function start(bootstrap: object) {
  const log: string[] = [];
  const admin = { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } };
  const text = JSON.stringify({ node: { id: "n", cluster: "c" }, admin, ...bootstrap });
  const sidecar = new Sidecar(
    decodeBootstrap(parseDocument("bootstrap.json", text)),
    { version: "test" },
    new Log("info", systemClock, (line) => log.push(line)),
    systemClock,
  );
  await sidecar.start();
  const ask = async (what: string) => {
    const at = sidecar.adminAddress;
    return (await fetch(`http://127.0.0.1:${at?.kind === "ip" ? at.port : 0}${what}`)).text();
  };
  const until = (what: string, check: () => Promise<boolean>) =>
    untilTrue(what, () => check().catch(() => false), { everyMs: 10, said: () => log.join("") });
  const get = async () => {
    const port = /::127\.0\.0\.1:(\d+)/.exec(await ask("/listeners"))?.[1];
    return (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } })).text();
  };
  return { sidecar, log, ask, until, get };
}

test("everything may come from files, and is replaced when a file is", async () => {
  put("lds.json", [listener("web")]);
  put("rds.json", [routes({ route: { cluster: "a" } })]);
  put("cds.json", [edsCluster("a", file("eds.json")), edsCluster("b", file("eds.json"))]);
  put("eds.json", [assignment("a", portOf(upstream)), assignment("b", 1)]);
  const { sidecar, log, ask, until, get } = await start({
    dynamic_resources: { lds_config: file("lds.json"), cds_config: file("cds.json") },
  });
  try {
    await until("it serves", async () => (await get()) === "upstream");
    put("rds.json", [routes({ direct_response: { status: 200, body: { inline_string: "direct" } } })]);
    await until("the new routes are in force", async () => (await get()) === "direct");
    put("cds.json", [edsCluster("a", file("eds.json"))]);
    await until(
      "a cluster that is no longer there is gone",
      async () => !/^b::/m.test(await ask("/clusters")),
    );
    put("lds.json", [{ ...listener("web"), stat_prefix: 1 }]);
    await until("a wrong file is reported", async () => /lds\.json:1:\d+: /.test(log.join("")));
    put("rds.json", [listener("web")]);
    await until("so is one of another type", async () => /is a .*Listener, where a/.test(log.join("")));
    assert.equal(await get(), "direct", "the last good version stays");
  } finally {
    await sidecar.close();
  }
});

test("a watched directory announces what it leads to, as a volume of a ConfigMap does", async () => {
  mkdirSync(path("data-1"));
  mkdirSync(path("volume"));
  put("data-1/lds.json", [listener("web")]);
  put("rds.json", [routes({ direct_response: { status: 200, body: { inline_string: "1" } } })]);
  const { symlinkSync } = await import("node:fs");
  const link = (target: string) => {
    symlinkSync(path(target), path("volume/next"));
    renameSync(path("volume/next"), path("volume/data"));
  };
  link("data-1");
  const source = {
    path_config_source: { path: path("volume/data/lds.json"), watched_directory: { path: path("volume") } },
  };
  const { sidecar, ask, until } = await start({ dynamic_resources: { lds_config: source } });
  try {
    await until("the first is there", async () => /^web::/m.test(await ask("/listeners")));
    mkdirSync(path("data-2"));
    put("data-2/lds.json", [listener("other")]);
    link("data-2");
    await until("the second takes its place", async () => /^other::/.test(await ask("/listeners")));
  } finally {
    await sidecar.close();
  }
});

test("clusters from a file, their endpoints from a server of their own", async () => {
  const ads = await FakeAds.start();
  ads.push({ endpoints: [endpoints("a", portOf(upstream))], clusters: [cluster("not-asked-for")] });
  put("lds.json", [listener("web")]);
  put("rds.json", [routes({ route: { cluster: "a" } })]);
  const server = {
    api_config_source: { api_type: "DELTA_GRPC", grpc_services: [{ envoy_grpc: { cluster_name: "eds" } }] },
  };
  put("cds.json", [edsCluster("a", server)]);
  const { sidecar, ask, until, get } = await start({
    dynamic_resources: { lds_config: file("lds.json"), cds_config: file("cds.json") },
    static_resources: {
      clusters: [
        {
          name: "eds",
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
              "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: assignment("eds", ads.port),
        },
      ].map(({ load_assignment: { "@type": _, ...rest }, ...one }) => ({ ...one, load_assignment: rest })),
    },
  });
  try {
    await until("it serves", async () => (await get()) === "upstream");
    assert.match(await ask("/stats?filter=connected_state"), /^control_plane\.connected_state: 1$/m);
    assert.doesNotMatch(await ask("/clusters"), /not-asked-for/);
    ads.push({ endpoints: [endpoints("a", 1)] });
    await until("endpoints follow", async () => (await get()) !== "upstream");
  } finally {
    await sidecar.close();
    await ads.close();
  }
});
