/**
 * What a sidecar has of the mesh is what it has used: the first call of a
 * service waits for its cluster and succeeds, whichever data plane makes it.
 */
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { LocalMesh } from "./local-mesh.ts";

const envoy = findPeer("envoy");
const skip = envoy ? false : "no envoy on PATH, in WEFT_PEERS or ~/.cache/weft/peers";
const idle = "setInterval(() => {}, 1000)";
const app = (address: string) => `
  require("http").createServer((_, response) => response.end("here")).listen(8080, ${JSON.stringify(address)});
  require("net").createServer((socket) => socket.pipe(socket)).listen(7000, ${JSON.stringify(address)});
`;
const services = ["used", "unused"] as const;
const hosts = { used: 1, unused: 2, learner: 3, whole: 4, envoy: 5 } as const;
/** Where callers have their listeners, by the service that is behind them. */
const ports = { used: { http: 20_000, tcp: 20_001 }, unused: { http: 20_002, tcp: 20_003 } } as const;
type Service = (typeof services)[number];
type Caller = "learner" | "whole" | "envoy";

let mesh: LocalMesh;
before(async () => {
  mesh = await LocalMesh.start();
  const inbound = ["--port", "8080:http", "--inbound-port", "8080=18080"];
  inbound.push("--port", "7000:tcp", "--inbound-port", "7000=17000");
  for (const name of services) {
    await mesh.run(name, hosts[name], inbound, [process.execPath, "-e", app(mesh.addressOf(hosts[name]))]);
  }
  await start("learner", []);
  await start("whole", ["--scope", "all"]);
  if (envoy) await start("envoy", ["--proxy", "envoy", "--envoy-path", envoy]);
  await mesh.until("both services are healthy", async () => {
    const { stdout } = await mesh.weft("status", "-o", "json");
    const { workloads } = JSON.parse(stdout) as { readonly workloads: readonly Workload[] };
    return services.every((name) => workloads.some((one) => one.workloadName === name && one.isHealthy));
  });
});
after(() => mesh.close());

interface Workload {
  readonly workloadName: string;
  readonly isHealthy: boolean;
}

function start(caller: Caller, flags: readonly string[]): Promise<void> {
  const address = mesh.addressOf(hosts[caller]);
  const upstreams = services.flatMap((name) => [
    ...["--upstream", `${name}:8080=${address}:${ports[name].http}`],
    ...["--upstream", `${name}:7000=${address}:${ports[name].tcp}`],
  ]);
  return mesh.run(caller, hosts[caller], [...upstreams, ...flags], [process.execPath, "-e", idle]);
}

async function call(caller: Caller, service: Service): Promise<number> {
  const answer = await fetch(`http://${mesh.addressOf(hosts[caller])}:${ports[service].http}/`);
  await answer.text();
  return answer.status;
}

/** What comes back of "hello"; "" where the connection ends without. */
function echo(caller: Caller, service: Service): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(ports[service].tcp, mesh.addressOf(hosts[caller]), () => socket.write("hello"));
    socket.on("data", (bytes) => {
      resolve(String(bytes));
      socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(""));
  });
}

/** At all its ports: those for HTTP wait for their routes. */
async function listens(caller: Caller): Promise<boolean> {
  const wanted = services.flatMap((name) => Object.values(ports[name]));
  const answers = wanted.map(
    (port) =>
      new Promise<boolean>((resolve) => {
        const socket = connect(port, mesh.addressOf(hosts[caller]), () => {
          resolve(true);
          socket.destroy();
        });
        socket.on("error", () => resolve(false));
      }),
  );
  return (await Promise.all(answers)).every((isOpen) => isOpen);
}

async function given(caller: Caller, kind: "clusters" | "endpoints"): Promise<readonly string[]> {
  const { stdout } = await mesh.weft("proxy-config", kind, caller, "-o", "json");
  const { resources } = JSON.parse(stdout) as { readonly resources: readonly { readonly name: string }[] };
  const names = resources.map(({ name }) => name).filter((name) => name.startsWith("outbound"));
  return names.map((name) => name.replace(".default.svc.cluster.local", ""));
}

const everything = services.flatMap((name) => [`outbound|7000||${name}`, `outbound|8080||${name}`]).sort();

test("a first request and a first connection succeed, and what was used is all that the sidecar has", async () => {
  await mesh.until("the caller listens", async () => (await fetchable("learner")) && true);
  assert.deepEqual(await given("learner", "clusters"), [], "nothing before the first call");
  assert.equal(await call("learner", "used"), 200);
  assert.deepEqual(await given("learner", "clusters"), ["outbound|8080||used"]);
  assert.equal(await echo("learner", "used"), "hello");
  const used = ["outbound|7000||used", "outbound|8080||used"];
  assert.deepEqual((await given("learner", "clusters")).toSorted(), used);
  assert.deepEqual((await given("learner", "endpoints")).toSorted(), used);
  const { stdout, stderr, code } = await mesh.weft("proxy-config", "listeners", "learner", "-o", "json");
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /on_demand/);
});

test("--scope all gives a sidecar everything", async () => {
  await mesh.until("the caller has its listeners", () => listens("whole"));
  await mesh.until("it has all clusters", async () => (await given("whole", "clusters")).length === 4);
  assert.deepEqual((await given("whole", "clusters")).toSorted(), everything);
  for (const service of services) {
    assert.deepEqual([await call("whole", service), await echo("whole", service)], [200, "hello"]);
  }
});

test("Envoy is given everything, and no first call of it waits for more", { skip }, async () => {
  await mesh.until("the caller has its listeners", () => listens("envoy"));
  assert.deepEqual((await given("envoy", "clusters")).toSorted(), everything);
  for (const service of services) {
    assert.deepEqual([await call("envoy", service), await echo("envoy", service)], [200, "hello"]);
  }
});

test("without a control plane what was used works, also after a restart, and the rest is refused in time", async () => {
  await mesh.until("the sidecar has kept what it used", () => hasKept("outbound|7000||used"));
  await mesh.killControlPlane();
  assert.deepEqual([await call("learner", "used"), await echo("learner", "used")], [200, "hello"]);
  await mesh.killAndRestart("learner");
  await mesh.until("the caller listens again", () => fetchable("learner"));
  assert.deepEqual([await call("learner", "used"), await echo("learner", "used")], [200, "hello"]);
  assert.equal(await call("learner", "unused"), 503, "it waits for its cluster, and not for ever");

  await mesh.startControlPlane();
  await mesh.until("it has come", async () => (await call("learner", "unused")) === 200);
  const { length } = await given("learner", "clusters");
  assert.equal(length, 3, "what it used before the restart, and what it has used since");
});

/** Whether requests are answered at all, by a path of the caller's own listener that calls nobody. */
function fetchable(caller: Caller): Promise<boolean> {
  return fetch(`http://${mesh.addressOf(hosts[caller])}:15021/healthz/ready`).then(
    ({ status }) => status === 200,
    () => false,
  );
}

function hasKept(cluster: string): boolean {
  const path = join(mesh.state, "learner", "config", "kept-config");
  if (!statSync(path, { throwIfNoEntry: false })) return false;
  const lines = readFileSync(path, "utf8").trim().split("\n").slice(1);
  const kept = lines.map((line) => JSON.parse(line) as string[]);
  return kept.some(([type, , name]) => type === "weft.v1.WantedCluster" && name!.startsWith(cluster));
}
