import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { envoyOrSkip, startEnvoy, startWeft } from "./test-contenders.ts";

/** A statsd server: the sum of each counter and the last value of each gauge, by name and tags. */
async function startServer() {
  const counters = new Map<string, number>();
  const gauges = new Map<string, number>();
  const times = new Map<string, number>();
  const malformed: string[] = [];
  let longest = 0;
  const socket = createSocket("udp4", (datagram) => {
    longest = Math.max(longest, datagram.length);
    for (const line of datagram.toString().split("\n")) {
      const [, name, value, kind, rate, tags] =
        /^([\w.]+):([\d.]+)\|(c|g|ms)(?:\|@(0\.\d+))?(?:\|#([\w.:,]+))?$/.exec(line) ?? [];
      if (name === undefined) malformed.push(line);
      const key = tags === undefined ? `${name}` : `${name} ${tags.split(",").sort()}`;
      if (kind === "c") counters.set(key, (counters.get(key) ?? 0) + Number(value));
      else if (kind === "g") gauges.set(key, Number(value));
      else times.set(key, (times.get(key) ?? 0) + Math.round(1 / Number(rate ?? 1)));
    }
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return {
    counters,
    gauges,
    times,
    malformed,
    longest: () => longest,
    port: socket.address().port,
    close: () => socket.close(),
  };
}

function bootstrap(statsd: number, dogstatsd: number): string {
  const type = (name: string) => `type.googleapis.com/envoy.${name}`;
  const address = { socket_address: { address: "127.0.0.1", port_value: 0 } };
  const to = (port: number) => ({
    socket_address: { protocol: "UDP", address: "127.0.0.1", port_value: port },
  });
  const routes = [
    { match: { prefix: "/here" }, direct_response: { status: 200 } },
    { match: { prefix: "/" }, route: { cluster: "up" } },
  ];
  const manager = {
    "@type": type("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "main",
    route_config: { virtual_hosts: [{ name: "v", domains: ["*"], routes }] },
    http_filters: [
      { name: "router", typed_config: { "@type": type("extensions.filters.http.router.v3.Router") } },
    ],
  };
  const filter_chains = [{ filters: [{ name: "hcm", typed_config: manager }] }];
  return JSON.stringify({
    admin: { address },
    stats_flush_interval: "0.2s",
    stats_sinks: [
      { name: "a", typed_config: { "@type": type("config.metrics.v3.StatsdSink"), address: to(statsd) } },
      {
        name: "b",
        typed_config: {
          "@type": type("config.metrics.v3.DogStatsdSink"),
          address: to(dogstatsd),
          prefix: "mesh",
          max_bytes_per_datagram: 400,
        },
      },
    ],
    static_resources: {
      listeners: [{ name: "main", address, filter_chains }],
      clusters: [{ name: "up", connect_timeout: "1s", load_assignment: { cluster_name: "up" } }],
    },
  });
}

const counted = [
  "http.main.downstream_rq_total",
  "http.main.downstream_rq_completed",
  "http.main.downstream_rq_2xx",
  "http.main.downstream_rq_5xx",
  "http.main.downstream_cx_total",
  "cluster.up.upstream_cx_none_healthy",
].map((name) => `envoy.${name}`);
const tagged = [
  "http.downstream_rq_total envoy.http_conn_manager_prefix:main",
  "http.downstream_rq_xx envoy.http_conn_manager_prefix:main,envoy.response_code_class:2",
  "http.downstream_rq_xx envoy.http_conn_manager_prefix:main,envoy.response_code_class:5",
  "cluster.upstream_cx_none_healthy envoy.cluster_name:up",
].map((name) => `mesh.${name}`);

test("statsd and DogStatsD servers are told what Envoy tells them", { skip: envoyOrSkip }, async (t) => {
  const told = [];
  for (const start of [startEnvoy, startWeft]) {
    const [statsd, dogstatsd] = [await startServer(), await startServer()];
    t.after(() => {
      for (const server of [statsd, dogstatsd]) server.close();
    });
    const contender = await start(bootstrap(statsd.port, dogstatsd.port));
    t.after(() => contender.close());
    for (const path of ["/here", "/here", "/there"]) {
      await (
        await fetch(`http://127.0.0.1:${contender.port}${path}`, { headers: { connection: "close" } })
      ).text();
    }
    const isTold = () =>
      statsd.counters.get("envoy.http.main.downstream_rq_completed") === 3 &&
      dogstatsd.counters.has(tagged[3]!) &&
      statsd.gauges.has("envoy.server.live") &&
      dogstatsd.gauges.has("mesh.server.live") &&
      (dogstatsd.times.get("mesh.http.downstream_rq_time envoy.http_conn_manager_prefix:main") ?? 0) === 3;
    while (!isTold()) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual([statsd.malformed, dogstatsd.malformed], [[], []], contender.name);
    assert.ok(dogstatsd.longest() <= 400 && dogstatsd.longest() > 200, "lines share datagrams");
    told.push({
      counters: counted.map((name) => [name, statsd.counters.get(name)]),
      tagged: tagged.map((name) => [name, dogstatsd.counters.get(name)]),
      live: [statsd.gauges.get("envoy.server.live"), dogstatsd.gauges.get("mesh.server.live")],
      times: statsd.times.get("envoy.http.main.downstream_rq_time"),
    });
  }
  assert.deepEqual(told[1], told[0]);
});
