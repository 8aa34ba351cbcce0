/**
 * A sidecar that captures calls has of the mesh the virtual hosts that its
 * application has called; what is no host of the mesh never waits for them.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runCommand, tryCommand } from "../packages/cli/src/demo/command.ts";
import { inNamespace, processesIn } from "../packages/cli/src/demo/network.ts";
import { weftProgram } from "../packages/testkit/src/weft-program.ts";

const state = mkdtempSync(join(tmpdir(), "weft-hosts-"));
// The sidecar runs as its own user, and its sockets are in here.
chmodSync(state, 0o755);
const plane = join(state, "control-plane");
const hosts = {
  caller: { namespace: `weft-hosts-${process.pid}-a`, address: "10.97.0.1" },
  server: { namespace: `weft-hosts-${process.pid}-b`, address: "10.97.0.2" },
} as const;
type HostName = keyof typeof hosts;

const isRoot = process.getuid?.() === 0;
const skip = !isRoot && !process.env.CI && "needs root for namespaces and nft rules";

const running = new Map<string, ChildProcess>();
let said = "";

function weft(name: string, host: HostName, args: readonly string[]): void {
  const [command, ...rest] = inNamespace(hosts[host].namespace, [weftProgram, ...args]);
  const child = spawn(command!, rest, {
    env: { ...process.env, WEFT_STATE: plane },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const keep = (chunk: Buffer) => {
    said = (said + chunk).slice(-50_000);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  running.set(name, child);
}

async function end(name: string, signal: NodeJS.Signals): Promise<void> {
  const child = running.get(name);
  running.delete(name);
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const over = once(child, "exit");
  child.kill(signal);
  await over;
}

const startPlane = async () => {
  said = "";
  weft("plane", "caller", ["control-plane", "--address", hosts.caller.address]);
  await until("the control plane is ready", () => said.includes("control plane ready"));
};

const workloads: Readonly<Record<HostName, { readonly flags: readonly string[]; readonly script: string }>> =
  {
    caller: { flags: [], script: "setInterval(() => {}, 1000)" },
    server: {
      flags: ["--port", "9080:http"],
      script: `require("http").createServer((request, response) => response.end("hello " + request.headers.host)).listen(9080, "127.0.0.1")`,
    },
  };

async function run(host: HostName, joining: readonly string[]): Promise<void> {
  const { flags, script } = workloads[host];
  const where = ["--address", hosts[host].address, "--control-plane", `${hosts.caller.address}:15012`];
  const how = ["--capture", "nft", "--run-dir", join(state, host), "--access-log", "none"];
  const app = ["--", process.execPath, "-e", script];
  weft(host, host, ["run", "--name", host, ...joining, ...where, ...how, ...flags, ...app]);
}

async function enrol(host: HostName): Promise<void> {
  const token = await runCommand(weftProgram, [
    "token",
    "create",
    "--service-account",
    host,
    "--state",
    plane,
  ]);
  await run(host, ["--token", token.trim()]);
}

/** A call of the caller's application on the port of the service, to whatever address. */
async function call(host: string, address: string = hosts.server.address): Promise<string> {
  const command = ["curl", "-gsS", "-m", "4", "-w", " %{http_code}", "-H", `host: ${host}`];
  const at = inNamespace(hosts.caller.namespace, [...command, `http://${address}:9080/`]);
  const { code, stdout, stderr } = await tryCommand(at[0]!, at.slice(1));
  return code === 0 ? stdout : `curl ended with ${code}: ${stderr}`;
}

interface Routes {
  readonly name: string;
  readonly value: {
    readonly virtual_hosts: readonly { readonly name: string; readonly domains: string[] }[];
  };
}

/** What the caller has of the virtual hosts on the port. */
async function given(): Promise<Routes["value"]["virtual_hosts"]> {
  const asked = ["proxy-config", "routes", "caller", "-o", "json", "--state", plane];
  const { code, stdout } = await tryCommand(weftProgram, asked);
  if (code !== 0) return [];
  const { resources } = JSON.parse(stdout) as { readonly resources: readonly Routes[] };
  return resources.find(({ name }) => name === "9080")?.value.virtual_hosts ?? [];
}

async function apply(yaml: string): Promise<void> {
  const file = join(state, "applied.yaml");
  writeFileSync(file, yaml);
  await runCommand(weftProgram, ["apply", "-f", file, "--state", plane]);
}

/** Whether the caller has a virtual host, or a cluster, on disk. */
function hasKept(name: string): boolean {
  const path = join(state, "caller", "config", "kept-config");
  return existsSync(path) && readFileSync(path, "utf8").includes(`"ads",${JSON.stringify(name)},`);
}

async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    if (await check()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`waited in vain: ${what}\n${said}`);
}

before(async () => {
  if (skip) return;
  const [a, b] = [hosts.caller, hosts.server];
  for (const { namespace } of [a, b]) await runCommand("ip", ["netns", "add", namespace]);
  const link = ["link", "add", "eth0", "netns", a.namespace, "type", "veth"];
  await runCommand("ip", [...link, "peer", "eth0", "netns", b.namespace]);
  for (const { namespace, address } of [a, b]) {
    const lines = ["link set lo up", `address add ${address}/24 dev eth0`, "link set eth0 up"];
    const input = [...lines, "route add default dev eth0"].join("\n");
    await runCommand("ip", ["-n", namespace, "-batch", "-"], { input });
  }
  await startPlane();
  // A host outside the mesh is called without TLS, and it is the server that answers for it.
  await apply(
    "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: default }\nspec: { mtls: { mode: PERMISSIVE } }\n",
  );
  await enrol("server");
  await enrol("caller");
  await until("the server is healthy", async () => {
    const { workloads: all } = JSON.parse(
      await runCommand(weftProgram, ["status", "-o", "json", "--state", plane]),
    ) as { readonly workloads: readonly { readonly workloadName: string; readonly isHealthy: boolean }[] };
    return all.some(({ workloadName, isHealthy }) => workloadName === "server" && isHealthy);
  });
  await until("the caller's routes are there", async () => (await given()).length > 0);
  await until("calls are captured", async () => (await call("outside.example")).startsWith("hello"));
});

after(async () => {
  for (const name of [...running.keys()].toReversed()) await end(name, "SIGTERM");
  for (const { namespace } of skip ? [] : Object.values(hosts)) {
    for (const pid of await processesIn(namespace)) process.kill(pid, "SIGKILL");
    await tryCommand("ip", ["netns", "delete", namespace]);
  }
  rmSync(state, { recursive: true, force: true });
});

const later = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: later }
spec:
  hosts: [later.example]
  ports: [{ number: 9080, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: ${hosts.server.address} }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: later }
spec:
  hosts: [later.example]
  http: [{ directResponse: { status: 418 } }]
`;

test("the first call of a service waits for its virtual host and succeeds, by whichever of its names", {
  skip,
}, async () => {
  const names = async () => (await given()).map(({ name }) => name);
  assert.deepEqual(await names(), ["allow_any"], "nothing of the mesh before, though others were called");
  const asked = ["explain", "--from", "caller", "--to", "http://server:9080/", "--state", plane];
  assert.match(
    await runCommand(weftProgram, asked),
    /server\.default\.svc\.cluster\.local/,
    "as it would route",
  );
  assert.equal(await call("server:9080"), "hello server:9080 200");
  assert.deepEqual((await names()).toSorted(), ["allow_any", "server.default.svc.cluster.local:9080"]);
  const own = (await given()).find(({ name }) => name.startsWith("server"))!;
  const address = own.domains.find((domain) => /^240\.240\.[\d.]+$/.test(domain))!;
  for (const host of ["server", "server.default", "server.default.svc.cluster.local:9080", address]) {
    assert.equal(
      await call(host, address),
      `hello ${host} 200`,
      "the address is the service's, not an endpoint's",
    );
  }
});

test("a host that the mesh gets later is routed by the mesh from then on", { skip }, async () => {
  assert.equal(await call("later.example"), "hello later.example 200", "it is outside the mesh");
  await apply(later);
  await until("its route is taken", async () => (await call("later.example")).endsWith(" 418"));
  await runCommand(weftProgram, ["delete", "-f", join(state, "applied.yaml"), "--state", plane]);
  await until("it is outside again", async () => (await call("later.example")).endsWith(" 200"));
});

test("without a control plane the world is reached at once, and what was learnt, also after a restart", {
  skip,
}, async () => {
  await until("what was learnt is on disk", () =>
    ["9080/server.default.svc.cluster.local", "outbound|9080||server.default.svc.cluster.local"].every(
      hasKept,
    ),
  );
  await end("plane", "SIGKILL");
  assert.equal(await call("new.example"), "hello new.example 200");
  assert.equal(await call("server.default"), "hello server.default 200");
  await end("caller", "SIGTERM");
  await run("caller", []);
  await until("it serves what it kept", async () => (await call("new.example")).endsWith(" 200"));
  for (const host of ["server", "server.default:9080"]) assert.equal(await call(host), `hello ${host} 200`);
});
