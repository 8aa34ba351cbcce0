/** Native histograms of a sidecar, as a real Prometheus reads them. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePort } from "../packages/testkit/src/free-port.ts";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { until } from "../packages/testkit/src/until.ts";
import { weftProgram } from "../packages/testkit/src/weft-program.ts";

const prometheus = findPeer("prometheus");
const skip = prometheus ? false : "no prometheus found";
const folder = mkdtempSync(join(tmpdir(), "weft-native-"));
const started: ChildProcess[] = [];
const requests = 40;
let upstream: Server;
let admin = 0;
let listen = 0;
let origin = "";

before(async () => {
  if (skip) return;
  upstream = createServer((_, response) => response.end("here"));
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  admin = await freePort();
  listen = await freePort();
  const bootstrap = join(folder, "bootstrap.json");
  writeFileSync(bootstrap, JSON.stringify(bootstrapOf((upstream.address() as AddressInfo).port)));
  started.push(spawn(weftProgram, ["proxy", "-c", bootstrap], { stdio: "ignore" }));
  await until("the proxy serves", async () => (await status(`http://127.0.0.1:${admin}/ready`)) === 200);
  for (let i = 0; i < requests; i++) assert.equal(await status(`http://127.0.0.1:${listen}/`), 200);
  const scrape = {
    job_name: "weft",
    metrics_path: "/stats/prometheus",
    static_configs: [{ targets: [`127.0.0.1:${admin}`] }],
  };
  const file = join(folder, "prometheus.yml");
  writeFileSync(file, JSON.stringify({ global: { scrape_interval: "1s" }, scrape_configs: [scrape] }));
  const address = `127.0.0.1:${await freePort()}`;
  const flags = [`--config.file=${file}`, `--storage.tsdb.path=${join(folder, "data")}`];
  const more = [`--web.listen-address=${address}`, "--enable-feature=native-histograms"];
  started.push(spawn(prometheus!, [...flags, ...more], { stdio: "ignore" }));
  origin = `http://${address}`;
});
after(async () => {
  for (const child of started.toReversed()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const over = once(child, "exit");
    child.kill("SIGTERM");
    await over;
  }
  upstream?.closeAllConnections();
  upstream?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("Prometheus reads request durations as native histograms, and counters beside them", {
  skip,
}, async () => {
  const durations = 'envoy_cluster_upstream_rq_time{envoy_cluster_name="up"}';
  await until("the histogram is read", async () => (await ask(`histogram_count(${durations})`)) === requests);
  const median = await ask(`histogram_quantile(0.5, ${durations})`);
  assert.ok(median !== undefined && median > 0 && median < 10_000, `${median} ms`);
  assert.equal(await ask('envoy_cluster_upstream_rq_total{envoy_cluster_name="up"}'), requests);
  assert.equal(await ask('up{job="weft"}'), 1);
});

async function ask(query: string): Promise<number | undefined> {
  const response = await fetch(`${origin}/api/v1/query?${new URLSearchParams({ query })}`).catch(
    () => undefined,
  );
  if (response?.status !== 200) return undefined;
  const { data } = (await response.json()) as { data?: { result: { value: [number, string] }[] } };
  const value = data?.result[0]?.value[1];
  return value === undefined ? undefined : Number(value);
}

function status(url: string): Promise<number> {
  return fetch(url).then(
    async (response) => {
      await response.arrayBuffer();
      return response.status;
    },
    () => 0,
  );
}

function bootstrapOf(upstreamPort: number): unknown {
  const type = (name: string) => ({ "@type": `type.googleapis.com/envoy.extensions.filters.${name}` });
  const address = (port_value: number) => ({ socket_address: { address: "127.0.0.1", port_value } });
  const manager = {
    ...type("network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "in",
    route_config: {
      virtual_hosts: [
        { name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: "up" } }] },
      ],
    },
    http_filters: [{ name: "router", typed_config: type("http.router.v3.Router") }],
  };
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: address(upstreamPort) } }] }];
  const runtime = { name: "metrics", static_layer: { "weft.metrics.native_histograms": true } };
  return {
    admin: { address: address(admin) },
    layered_runtime: { layers: [runtime] },
    static_resources: {
      listeners: [
        {
          name: "in",
          address: address(listen),
          filter_chains: [{ filters: [{ name: "manager", typed_config: manager }] }],
        },
      ],
      clusters: [{ name: "up", connect_timeout: "1s", load_assignment: { cluster_name: "up", endpoints } }],
    },
  };
}
