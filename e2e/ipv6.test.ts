import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parsePrometheusText } from "../packages/agent/src/metrics/parse-prometheus-text.ts";
import { runCommand, tryCommand } from "../packages/cli/src/demo/command.ts";
import { inNamespace, processesIn } from "../packages/cli/src/demo/network.ts";

const launcher = join(import.meta.dirname, "..", "packages", "cli", "bin", "weft");
const state = mkdtempSync(join(tmpdir(), "weft-ipv6-"));
// The sidecar runs as its own user, and its sockets are in here.
chmodSync(state, 0o755);
const hosts = {
  caller: { namespace: `weft-ipv6-${process.pid}-a`, v4: "10.98.0.1", v6: "fd98::1" },
  server: { namespace: `weft-ipv6-${process.pid}-b`, v4: "10.98.0.2", v6: "fd98::2" },
} as const;
type HostName = keyof typeof hosts;

const isRoot = process.getuid?.() === 0;
const hasIpv6 = existsSync("/proc/net/if_inet6");
const skip =
  (!isRoot && !process.env.CI && "needs root for namespaces and nft rules") ||
  (!hasIpv6 && "this machine has no IPv6");

const children: ChildProcess[] = [];
let said = "";

function weft(host: HostName, args: readonly string[]): void {
  const [command, ...rest] = inNamespace(hosts[host].namespace, [launcher, ...args]);
  const child = spawn(command!, rest, {
    env: { ...process.env, WEFT_STATE: join(state, "control-plane") },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const keep = (chunk: Buffer) => {
    said = (said + chunk).slice(-50_000);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  children.push(child);
}

async function run(host: HostName, flags: readonly string[], script: string): Promise<void> {
  const token = ["token", "create", "--service-account", host, "--state", join(state, "control-plane")];
  const where = ["--address", hosts[host].v4, "--control-plane", `${hosts.caller.v4}:15012`];
  const how = ["--capture", "nft", "--run-dir", join(state, host), "--access-log", "none"];
  const joined = ["--token", (await runCommand(launcher, token)).trim()];
  weft(host, [
    "run",
    "--name",
    host,
    ...joined,
    ...where,
    ...how,
    ...flags,
    "--",
    process.execPath,
    "-e",
    script,
  ]);
}

async function curl(host: HostName, ...args: readonly string[]): Promise<string> {
  const command = ["curl", "-gsS", "-m", "5", ...args];
  const result = await tryCommand("ip", inNamespace(hosts[host].namespace, command).slice(1));
  return result.code === 0 ? result.stdout : `curl ended with ${result.code}: ${result.stderr}`;
}

/** What the host's sidecar counted of requests, by destination service name. */
async function requests(host: HostName, reporter: string): Promise<number> {
  const text = await curl(host, `http://${hosts[host].v4}:15090/stats/prometheus`);
  return parsePrometheusText(text, (name) => name === "istio_requests_total")
    .flatMap(({ series }) => series)
    .filter(({ labels }) => labels.reporter === reporter)
    .reduce((sum, { value }) => sum + value, 0);
}

async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (await check()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`waited in vain: ${what}\n${said}`);
}

before(async () => {
  if (skip) return;
  const [a, b] = [hosts.caller, hosts.server];
  for (const { namespace } of [a, b]) await runCommand("ip", ["netns", "add", namespace]);
  await runCommand("ip", [
    "link",
    "add",
    "eth0",
    "netns",
    a.namespace,
    "type",
    "veth",
    "peer",
    "eth0",
    "netns",
    b.namespace,
  ]);
  for (const { namespace, v4, v6 } of [a, b]) {
    await runCommand("ip", ["-n", namespace, "-batch", "-"], {
      input: [
        "link set lo up",
        `address add ${v4}/24 dev eth0`,
        `address add ${v6}/64 dev eth0 nodad`,
        "link set eth0 up",
      ].join("\n"),
    });
  }
  weft("caller", ["control-plane", "--address", a.v4]);
  await until("the control plane is ready", () => said.includes("control plane ready"));
});

after(async () => {
  for (const child of children.toReversed()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const over = once(child, "exit");
    child.kill("SIGTERM");
    await over;
  }
  for (const { namespace } of skip ? [] : Object.values(hosts)) {
    for (const pid of await processesIn(namespace)) process.kill(pid, "SIGKILL");
    await tryCommand("ip", ["netns", "delete", namespace]);
  }
  rmSync(state, { recursive: true, force: true });
});

const permissive = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: default }
spec: { mtls: { mode: PERMISSIVE } }
`;

test("captured calls over IPv6 go through both sidecars, as those over IPv4 do", { skip }, async () => {
  const server = `require("http").createServer((request, response) => response.end("hello " + request.headers.host)).listen(9080, "127.0.0.1");
    require("net").createServer((socket) => socket.end("undeclared")).listen(9999, "::")`;
  const file = join(state, "permissive.yaml");
  writeFileSync(file, permissive);
  await runCommand(launcher, ["apply", "-f", file, "--state", join(state, "control-plane")]);
  await run("server", ["--port", "9080:http"], server);
  await run("caller", [], "setInterval(() => {}, 1000)");
  const { v4, v6 } = hosts.server;
  const mesh = "server.default.svc.cluster.local";
  await until("the server is called over IPv4", async () =>
    (await curl("caller", `http://${v4}:9080/`)).startsWith("hello"),
  );
  await until("calls of the service go through the caller's sidecar", async () => {
    const answer = await curl("caller", "-H", `host: ${mesh}`, `http://${v4}:9080/`);
    return answer.startsWith("hello") && (await requests("caller", "source")) > 0;
  });
  const seen = [await requests("caller", "source"), await requests("server", "destination")];
  assert.equal(await curl("caller", `http://[${v6}]:9080/`), `hello [${v6}]:9080`);
  assert.equal(
    await curl("caller", "-H", `host: ${mesh}`, `http://[${v6}]:9080/`),
    `hello ${mesh}`,
    "a request for a service is routed by its host, whichever family its connection has",
  );
  assert.deepEqual(
    [await requests("caller", "source"), await requests("server", "destination")],
    seen.map((count) => count + 2),
  );
});

test("an undeclared port of a workload is reached over IPv6 as over IPv4, and nothing is left behind", {
  skip,
}, async () => {
  const { v4, v6, namespace } = hosts.server;
  for (const host of [v4, `[${v6}]`]) {
    assert.equal(await curl("caller", "--http0.9", `http://${host}:9999/`), "undeclared");
  }
  assert.match(await runCommand("ip", ["-n", namespace, "-6", "address", "show", "dev", "lo"]), / ::6\/128 /);
  const server = children.at(-2)!;
  const over = once(server, "exit");
  server.kill("SIGTERM");
  await over;
  assert.doesNotMatch(await runCommand("ip", ["-n", namespace, "-6", "address", "show", "dev", "lo"]), /::6/);
});
