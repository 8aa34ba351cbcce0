/**
 * `npm run bench:signals`: what it costs to tell of every request, and whether
 * Prometheus' reading of a sidecar is felt by its requests.
 *
 *   npm run bench:signals [-- --quick]
 *
 * First the same sidecar with all signals off and on (access log in JSON,
 * Istio's metrics, 1 % of requests traced), alternating; then one with 5,000
 * series under a steady load, read and left alone in turn.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "@weft/testkit/free-port";
import { type BenchCase, plainRequests } from "./cases.ts";
import { measureCase } from "./measure.ts";
import { parseOptions } from "./options.ts";
import { type ProxyProgram, startProxy, startUpstream, waitReady } from "./processes.ts";
import { findTools, weftProgram } from "./programs.ts";
import { renderTable, summarize } from "./report.ts";

const quick = process.argv.includes("--quick");
const wantedSeries = 5_000;
/** Of the page; Prometheus counts a line as a series. */
const seriesPerCluster = 80;
const requestsPerSecond = 200;
const weft = weftProgram(true);
const directory = mkdtempSync(join(tmpdir(), "weft-bench-signals-"));

try {
  await compareSignals();
  await readWhileServing();
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function compareSignals(): Promise<void> {
  const options = parseOptions(["--sources", ...(quick ? ["--quick"] : ["--idle", "1"])]);
  if (options === "help") return;
  const signals: BenchCase = {
    ...plainRequests,
    name: "signals",
    title: "all signals at 1 % of traces, against none",
    hops: [{ name: "in", bootstrap: "plain.yaml" }],
  };
  const on: ProxyProgram = { ...weft, name: "on", template: () => "signals.yaml" };
  const programs = [{ ...weft, name: "off" }, on];
  const result = await measureCase(signals, programs, findTools(), options, directory, (text) =>
    console.error(`bench: ${text}`),
  );
  console.log(renderTable(summarize(result), options.rate));
}

async function readWhileServing(): Promise<void> {
  const [admin, listen, upstreamPort] = (await freePorts(3)) as [number, number, number];
  const file = join(directory, "scrape.json");
  writeFileSync(file, JSON.stringify(bootstrapOf(admin, listen, upstreamPort)));
  const upstream = await startUpstream(upstreamPort, 128, "http1");
  const proxy = startProxy(weft, file);
  try {
    const url = `http://127.0.0.1:${listen}/`;
    await waitReady(url, proxy, async () => {
      const status = await fetch(url).then(
        (response) => response.status,
        () => 0,
      );
      return status === 200 ? "" : `status ${status}`;
    });
    const page = `http://127.0.0.1:${admin}/stats/prometheus`;
    const lines = (await (await fetch(page)).text()).split("\n");
    const series = lines.filter((line) => line !== "" && !line.startsWith("#")).length;
    const seconds = quick ? 3 : 20;
    const alone = await load(url, seconds);
    const scrapes: number[] = [];
    const [read] = await Promise.all([load(url, seconds), scrape(page, seconds, scrapes)]);
    const shown = (values: readonly number[]) => {
      const sorted = [...values].sort((a, b) => a - b);
      const at = (q: number) =>
        sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!.toFixed(2);
      return `p50 ${at(0.5)}  p99 ${at(0.99)}  p99.9 ${at(0.999)}  max ${at(1)}`;
    };
    console.log(`a page of ${series} series, read every half second, ms`);
    console.log(`  a reading              ${shown(scrapes)}`);
    console.log(`  a request, meanwhile   ${shown(read)}`);
    console.log(`  a request, otherwise   ${shown(alone)}`);
  } finally {
    await proxy.stop();
    await upstream.stop();
  }
}

async function scrape(page: string, seconds: number, took: number[]): Promise<void> {
  const endMs = performance.now() + seconds * 1_000;
  while (performance.now() < endMs) {
    const startMs = performance.now();
    await (await fetch(page)).arrayBuffer();
    took.push(performance.now() - startMs);
    await sleep(500);
  }
}

/** At a constant rate, whether or not the one before is answered: what waits is seen. */
async function load(url: string, seconds: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const took: number[] = [];
  const count = seconds * requestsPerSecond;
  const beginMs = performance.now();
  const calls: Promise<void>[] = [];
  for (let i = 0; i < count; i++) {
    const dueMs = beginMs + (i * 1_000) / requestsPerSecond;
    if (dueMs > performance.now()) await sleep(dueMs - performance.now());
    const startMs = performance.now();
    calls.push(call(url, agent).then(() => void took.push(performance.now() - startMs)));
  }
  await Promise.all(calls);
  agent.destroy();
  return took;
}

function call(url: string, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent }, (response) => {
      response.resume().on("end", resolve).on("error", reject);
    });
    asked.on("error", reject);
    asked.end();
  });
}

function bootstrapOf(admin: number, listen: number, upstreamPort: number): unknown {
  const type = (name: string) => ({ "@type": `type.googleapis.com/envoy.extensions.filters.${name}` });
  const address = (port_value: number) => ({ socket_address: { address: "127.0.0.1", port_value } });
  const cluster = (name: string) => ({
    name,
    connect_timeout: "5s",
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(upstreamPort) } }] }],
    },
  });
  const manager = {
    ...type("network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "in",
    route_config: {
      virtual_hosts: [
        { name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: "c0" } }] },
      ],
    },
    http_filters: [{ name: "router", typed_config: type("http.router.v3.Router") }],
  };
  const clusters = Math.ceil(wantedSeries / seriesPerCluster);
  return {
    admin: { address: address(admin) },
    static_resources: {
      listeners: [
        {
          name: "in",
          address: address(listen),
          filter_chains: [{ filters: [{ name: "manager", typed_config: manager }] }],
        },
      ],
      clusters: Array.from({ length: clusters }, (_, i) => cluster(`c${i}`)),
    },
  };
}
