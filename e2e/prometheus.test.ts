import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chooseAll, expressionsOf } from "../packages/cli/src/demo/observe/dashboard-expressions.ts";
import {
  PrometheusClient,
  type PrometheusTarget,
} from "../packages/cli/src/demo/observe/prometheus-client.ts";
import { prometheusConfig } from "../packages/cli/src/demo/observe/prometheus-config.ts";
import {
  edgesQuery,
  failuresQuery,
  principalsQuery,
  queriesFor,
  serviceMatchers,
  servicesQuery,
  versionsQuery,
} from "../packages/dashboard/src/words/promql.ts";
import { freePort } from "../packages/testkit/src/free-port.ts";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { dashboards } from "../tools/dashboard-panels.ts";
import { dashboardDirectory, renderDashboard } from "../tools/dashboards.ts";
import { type IstioDashboard, reasonOf, renderIstioPage } from "./istio-dashboards.ts";
import { LocalMesh } from "./local-mesh.ts";
import { writeConfiguration, writeRoute } from "./prometheus-mesh.ts";

const prometheus = findPeer("prometheus");
const promtool = findPeer("promtool");
const skip = prometheus && promtool ? false : "no prometheus found";
const configuration = join(import.meta.dirname, "..", "observability", "prometheus");

/** Istio's own, which are not part of this repository. */
const istioDashboards =
  process.env.WEFT_ISTIO_DASHBOARDS ??
  join(import.meta.dirname, "..", "..", "shared", "samples", "istio-dashboards");

/** Answers 200, and 503 at /fail. */
const http = (address: string) =>
  `require("http").createServer((q, s) => { s.statusCode = q.url === "/fail" ? 503 : 200; s.end("ok"); }).listen(8080, ${JSON.stringify(address)})`;
const echo = (address: string) =>
  `require("net").createServer((socket) => socket.pipe(socket)).listen(7000, ${JSON.stringify(address)})`;
const idle = "setInterval(() => {}, 1000)";

let mesh: LocalMesh;
let server: ChildProcess | undefined;
let asked: PrometheusClient;
let plain: Server | undefined;
let traffic: NodeJS.Timeout | undefined;

before(async () => {
  if (skip) return;
  mesh = await LocalMesh.start();
  const backend = ["--port", "8080:http", "--inbound-port", "8080=18080", "--version", "v1"];
  await mesh.run("backend", 2, backend, [process.execPath, "-e", http(mesh.addressOf(2))]);
  const queue = ["--port", "7000:tcp", "--inbound-port", "7000=17000"];
  await mesh.run("queue", 3, queue, [process.execPath, "-e", echo(mesh.addressOf(3))]);
  const upstreams = ["backend:8080", "queue:7000", "plain.example:8090"].map(
    (service, i) => `${service}=${mesh.addressOf(1)}:${20000 + i}`,
  );
  const flags = upstreams.flatMap((upstream) => ["--upstream", upstream]);
  await mesh.run("web", 1, flags, [process.execPath, "-e", idle]);
  await mesh.runGateway("istio-ingressgateway", 4, []);
  plain = createServer((_, response) => response.end("ok")).listen(0, "127.0.0.1");
  await once(plain, "listening");
  const { port: plainPort } = plain.address() as AddressInfo;
  const applied = await mesh.weft("apply", "-f", writeConfiguration(mesh, { plainPort, gatewayPort: 8080 }));
  assert.equal(applied.code, 0, applied.stderr);
  await mesh.until("the backend answers", () => call("/").then((status) => status === 200));
  traffic = setInterval(() => {
    void call("/");
    void call("/fail");
    void call("/", `${mesh.addressOf(2)}:18080`); // not from the mesh, so without mutual TLS
    void call("/", `${mesh.addressOf(1)}:20002`);
    void call("/", `${mesh.addressOf(4)}:8080`);
    exchange(mesh.addressOf(1), 20001);
    exchange(mesh.addressOf(3), 17000);
  }, 100);
  asked = await startPrometheus();
});
after(async () => {
  clearInterval(traffic);
  plain?.closeAllConnections();
  plain?.close();
  if (server && server.exitCode === null) {
    const over = once(server, "exit");
    server.kill("SIGTERM");
    await over;
  }
  await mesh?.close();
});

/** The status, or 0 where nobody answered. */
function call(path: string, authority = `${mesh.addressOf(1)}:20000`): Promise<number> {
  return fetch(`http://${authority}${path}`).then(
    async (response) => {
      await response.arrayBuffer();
      return response.status;
    },
    () => 0,
  );
}

function exchange(address: string, port: number): void {
  const socket = connect(port, address);
  socket.on("error", () => {});
  socket.once("data", () => socket.destroy());
  socket.write("ping");
}

/** With the configuration that people are given, but quicker, and pointed at this mesh. */
async function startPrometheus(): Promise<PrometheusClient> {
  const file = join(mesh.state, "prometheus.yml");
  const published = readFileSync(join(configuration, "prometheus.yml"), "utf8");
  writeFileSync(
    file,
    prometheusConfig(published, { controlPlane: mesh.httpOrigin, rules: configuration, intervalSeconds: 1 }),
  );
  const address = `127.0.0.1:${await freePort()}`;
  const flags = [`--config.file=${file}`, `--storage.tsdb.path=${join(mesh.state, "prometheus")}`];
  server = spawn(prometheus!, [...flags, `--web.listen-address=${address}`], { stdio: "ignore" });
  return new PrometheusClient(`http://${address}`);
}

/** How many series an expression of a dashboard gives, everything being chosen. */
function seriesOf(expression: string): Promise<number> {
  const service = expression.includes("istio_tcp_") ? "queue" : "backend";
  const ofOneService = expression.replace(/="\$service"/g, `="${service}.default.svc.cluster.local"`);
  return asked.countSeries(chooseAll(ofOneService, "10s"));
}

test("Prometheus finds the control plane and every sidecar by itself, and reads all of them", {
  skip,
}, async () => {
  let targets: readonly PrometheusTarget[] = [];
  await mesh.until("every target is up", async () => {
    try {
      targets = await asked.targets();
    } catch {
      return false; // it is still starting
    }
    return targets.length === 5 && targets.every(({ health }) => health === "up");
  });
  assert.deepEqual(targets.map(({ labels }) => `${labels.job} ${labels.app}`).sort(), [
    "envoy-stats backend",
    "envoy-stats istio-ingressgateway",
    "envoy-stats queue",
    "envoy-stats web",
    "istiod istiod",
  ]);
});

test("every expression of every dashboard returns data", { skip }, async () => {
  const waiting = new Set<string>();
  for (const { panels } of dashboards) {
    for (const { queries } of panels) for (const query of Object.values(queries)) waiting.add(query);
  }
  assert.ok(waiting.size > 50, `${waiting.size} expressions`);
  for (let round = 1; round <= 60 && waiting.size > 0; round += 1) {
    // A change in each round, so that pushes take some time.
    const applied = await mesh.weft("apply", "-f", writeRoute(mesh, round));
    assert.equal(applied.code, 0, applied.stderr);
    for (const query of waiting) if ((await seriesOf(query)) > 0) waiting.delete(query);
  }
  assert.deepEqual([...waiting], []);
});

test("every query that the browser's dashboard shows beside a panel returns data", { skip }, async () => {
  const backend = serviceMatchers({ namespace: "default", name: "backend" });
  const queue = serviceMatchers({ namespace: "default", name: "queue" });
  const { tcp: _, ...requests } = queriesFor(backend);
  const durations = `{reporter="destination",${backend.join(",")}}[1m]`;
  const waiting = new Set([
    ...Object.values(requests),
    queriesFor(queue).tcp,
    ...[servicesQuery, edgesQuery, principalsQuery, versionsQuery(backend), failuresQuery(backend)],
    `sum by (le) (rate(istio_request_duration_milliseconds_bucket${durations}))`,
    ...["sum by (type) (rate(pilot_xds_pushes[5m]))", "max(weft_event_loop_utilization)"],
    ...["citadel_server_root_cert_expiry_timestamp - time()", "weft_config_errors"],
    "increase(citadel_server_success_cert_issuance_count[1h])",
  ]);
  // A denial for the one that asks for denials, of which this mesh has none.
  waiting.delete(requests.denied);
  for (let round = 1; round <= 60 && waiting.size > 0; round += 1) {
    for (const query of waiting) if ((await asked.countSeries(query)) > 0) waiting.delete(query);
    if (waiting.size > 0) await new Promise((resolve) => setTimeout(resolve, 500));
  }
  assert.deepEqual([...waiting], []);
});

test("weft stat and weft edges of Prometheus say what it says, and what the control plane does", {
  skip,
}, async () => {
  const origin = asked.origin;
  const { code, stdout, stderr } = await mesh.weft(
    "stat",
    "backend",
    "--window",
    "1h",
    "--prometheus",
    origin,
    "-o",
    "json",
  );
  assert.equal(code, 0, stderr);
  const [row] = JSON.parse(stdout).rows;
  assert.deepEqual([row.name, row.meshed, row.instances], ["backend", 1, 1]);
  assert.ok(row.successRate > 0.3 && row.successRate < 0.9, `half or so of ${row.successRate} fails`);
  assert.ok(row.p50Ms <= row.p99Ms, `${row.p50Ms} and ${row.p99Ms} ms`);
  const pairs = async (...flags: readonly string[]) => {
    const edges = await mesh.weft("edges", "-o", "json", ...flags);
    assert.equal(edges.code, 0, edges.stderr);
    const { rows } = JSON.parse(edges.stdout);
    return rows.map(
      ({ from, to }: { from: { name: string }; to: { name: string } }) => `${from.name} ${to.name}`,
    );
  };
  let both: readonly string[][] = [];
  await mesh.until("both know the same pairs", async () => {
    both = [await pairs(), await pairs("--prometheus", origin)];
    return both[0]!.join() === both[1]!.join();
  });
  assert.ok(both[1]!.includes("web backend"), both[1]!.join(", "));
});

test("Istio's dashboards have data, but for what docs/istio-dashboards.md names", {
  skip: skip || (existsSync(istioDashboards) ? false : "no Istio dashboards (WEFT_ISTIO_DASHBOARDS)"),
}, async () => {
  const names = readdirSync(istioDashboards).filter((name) =>
    /(?:mesh|service|workload|pilot|performance)-dashboard/.test(name),
  );
  const pages: IstioDashboard[] = [];
  for (const name of names.sort()) {
    const expressions = expressionsOf(readFileSync(join(istioDashboards, name), "utf8"));
    const empty = new Set(expressions);
    for (let round = 1; round <= 10 && empty.size > 0; round += 1) {
      await mesh.weft("apply", "-f", writeRoute(mesh, 100 + round));
      for (const expression of empty) if ((await seriesOf(expression)) > 0) empty.delete(expression);
    }
    pages.push({ name, count: expressions.length, empty: [...empty] });
  }
  const page = renderIstioPage(pages);
  const unexplained = pages.flatMap(({ empty }) => empty.filter((expression) => !reasonOf(expression)));
  assert.deepEqual(unexplained, []);
  const file = join(import.meta.dirname, "..", "docs", "istio-dashboards.md");
  if (process.env.UPDATE_GOLDEN) writeFileSync(file, page);
  assert.equal(readFileSync(file, "utf8"), page, "regenerate it with UPDATE_GOLDEN=1");
});

test("the rules are evaluated without an error", { skip }, async () => {
  interface Group {
    readonly rules: readonly {
      readonly name: string;
      readonly health: string;
      readonly lastError?: string;
    }[];
  }
  await mesh.until("every rule was evaluated", async () => {
    const { groups } = await asked.ask<{ groups: readonly Group[] }>("rules");
    const rules = groups.flatMap((group) => group.rules);
    return rules.length === 20 && rules.every(({ health }) => health === "ok");
  });
});

test("alerts fire for what they name and for nothing else (promtool)", { skip }, () => {
  const options = { cwd: configuration, stdio: "pipe" } as const;
  execFileSync(promtool!, ["check", "rules", "alerts.yml"], options);
  execFileSync(promtool!, ["test", "rules", "alerts.test.yml"], options);
});

test("the dashboards in the repository are those that are made from their panels", () => {
  assert.deepEqual(readdirSync(dashboardDirectory).sort(), dashboards.map(({ uid }) => `${uid}.json`).sort());
  for (const dashboard of dashboards) {
    const file = join(dashboardDirectory, `${dashboard.uid}.json`);
    assert.equal(readFileSync(file, "utf8"), renderDashboard(dashboard), "run: node tools/dashboards.ts");
  }
});
