import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { type Contender, envoyOrSkip, startBoth } from "../test-contenders.ts";

const layers = [
  { name: "first", static_layer: { a: { b: 1, c: "x" }, flag: true } },
  { name: "second", static_layer: { "a.b": 2.5, empty: "" } },
];

const listener = {
  name: "main",
  address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
  filter_chains: [
    {
      filters: [
        {
          name: "echo",
          typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo" },
        },
      ],
    },
  ],
};

const cluster = {
  name: "up",
  connect_timeout: "1s",
  load_assignment: { cluster_name: "up", endpoints: [] },
};

const bootstrap = {
  admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
  layered_runtime: { layers },
  static_resources: { listeners: [listener], clusters: [cluster, { ...cluster, name: "other" }] },
};

test("the admin endpoint shows runtime and parts of the configuration as Envoy's does", {
  skip: envoyOrSkip,
}, async (t) => {
  const contenders = await startBoth(bootstrap);
  t.after(() => Promise.all(contenders.map(({ close }) => close())));
  const [envoy, weft] = contenders;
  for (const path of [
    "/runtime",
    "/config_dump?resource=static_listeners&mask=listener.name,listener.address",
    "/config_dump?resource=static_listeners&name_regex=mai",
    "/config_dump?resource=static_listeners&name_regex=ma.*&mask=listener.name",
    "/config_dump?mask=bootstrap.layered_runtime",
  ]) {
    assert.deepEqual(JSON.parse(await weft.admin(path)), JSON.parse(await envoy.admin(path)), path);
  }
  for (const path of [
    "/config_dump?resource=none",
    "/config_dump?resource=bootstrap",
    "/config_dump?mask=none",
  ]) {
    assert.equal(await weft.admin(path), await envoy.admin(path), path);
  }
});

/** Pages whose every byte is Envoy's. */
const samePages = [
  "GET /ready",
  "GET /init_dump",
  "GET /init_dump?mask=listener",
  "GET /runtime_modify?a=1",
  "GET /reset_counters",
  "GET /reopen_logs",
  "POST /reopen_logs",
  "GET /cpuprofiler",
  "GET /heapprofiler",
  "GET /allocprofiler",
  "GET /drain_listeners",
  "GET /healthcheck/fail",
  "GET /healthcheck/ok",
  "GET /quitquitquit",
  "GET /logging",
  "GET /stats/recentlookups/enable",
  "GET /stats?filter=server.live",
  "GET /stats?filter=server.live&format=json",
  "GET /stats?filter=^server\\.l&invert_filter&type=TextReadouts",
  "GET /stats?filter=server.live&type=Counters",
  "GET /stats?filter=server.live&type=Gauges&hidden=include",
  "GET /stats?filter=none&format=json",
  "GET /stats?filter=cluster.up.upstream_rq_total&usedonly",
  "GET /stats?type=Fish",
  "GET /clusters?filter=none",
] as const;

function open(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve();
    }).on("error", reject);
  });
}

test("the admin endpoint answers what Envoy's does, by the same methods", {
  skip: envoyOrSkip,
}, async (t) => {
  const contenders = await startBoth(bootstrap);
  t.after(() => Promise.all(contenders.map(({ close }) => close())));
  const [envoy, weft] = contenders;
  for (const page of samePages) {
    const [method, path] = page.split(" ") as ["GET" | "POST", string];
    const trimmed = async (contender: Contender) => (await contender.admin(path, method)).trim();
    const parsed = (text: string) => (text.startsWith("{") ? JSON.parse(text) : text);
    assert.deepEqual(parsed(await trimmed(weft)), parsed(await trimmed(envoy)), page);
  }
  const names = async (contender: Contender) =>
    new Set((await contender.admin("/clusters?filter=^up$")).split("\n").map((line) => line.split("::")[0]));
  assert.deepEqual(await names(weft), await names(envoy));
  const accepted = "listener.127.0.0.1_0.downstream_cx_total: ";
  for (const contender of contenders) {
    const count = async () =>
      (await contender.admin("/stats?filter=downstream_cx_total")).split(accepted)[1]?.[0];
    await open(contender.port);
    while ((await count()) !== "1") await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(await contender.admin("/reset_counters", "POST"), "OK\n");
    assert.equal(await count(), "0", `${contender.name} begins anew`);
  }
});
