import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ActorRequest } from "./netns-actor.ts";
import { findNft } from "./nft.ts";
import { parseCounters } from "./nft-counters.ts";
import { buildNftRules, removeNftRules } from "./nft-rules.ts";

const missing =
  process.getuid?.() !== 0 ? "not root" : findNft() === undefined ? "nft is not installed" : undefined;
if (missing && process.env.CI === "true") throw new Error(`interception can't be tested: ${missing}`);
const skip = missing ?? false;

const suffix = process.pid;
const app = `weft-t-app-${suffix}`;
const peer = `weft-t-peer-${suffix}`;
const own = { v4: "10.99.0.2", v6: "fd99::2" };
const other = { v4: "10.99.0.1", v6: "fd99::1" };
const script = fileURLToPath(new URL("./netns-actor.ts", import.meta.url));
const sourceModule = new URL("./passthrough-source.ts", import.meta.url).href;
const rules = buildNftRules({
  controlPlanePort: 15012,
  exclude: { outboundPorts: [5432], inboundPorts: [5600] },
});

class Actor {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  constructor(namespace: string) {
    this.#child = spawn("ip", ["netns", "exec", namespace, process.execPath, script]);
    this.#child.stderr.pipe(process.stderr, { end: false });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async ask(request: ActorRequest): Promise<string> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value } = await this.#lines.next();
    return JSON.parse(value);
  }

  end(): void {
    this.#child.kill("SIGKILL");
  }
}

const ip = (...args: string[]) =>
  execFileSync("ip", args, { stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" });
const nft = (namespace: string, input: string) =>
  execFileSync("ip", ["netns", "exec", namespace, findNft()!, "-f", "-"], {
    input,
    stdio: ["pipe", "pipe", "pipe"],
  });
/** Without what has been counted. */
const ruleset = (namespace: string) =>
  ip("netns", "exec", namespace, findNft()!, "list", "ruleset").replace(/packets \d+ bytes \d+/g, "");

let actors: Record<"sidecar" | "application" | "exempt" | "peer", Actor> | undefined;

before(async () => {
  if (missing) return;
  for (const namespace of [app, peer]) {
    ip("netns", "add", namespace);
    // Addresses serve at once, not after a second of looking for duplicates.
    for (const which of ["all", "default"]) {
      const setting = `/proc/sys/net/ipv6/conf/${which}/accept_dad`;
      ip("netns", "exec", namespace, "sh", "-c", `echo 0 > ${setting}`);
    }
  }
  ip("-n", app, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", peer);
  for (const [namespace, address] of [
    [app, own],
    [peer, other],
  ] as const) {
    ip("-n", namespace, "link", "set", "lo", "up");
    ip("-n", namespace, "address", "add", `${address.v4}/24`, "dev", "eth0");
    ip("-n", namespace, "address", "add", `${address.v6}/64`, "dev", "eth0", "nodad");
    ip("-n", namespace, "link", "set", "eth0", "up");
  }
  ip("-n", app, "route", "add", "default", "via", other.v4);
  ip("-n", app, "-6", "route", "add", "default", "via", other.v6);
  nft(app, rules);
  actors = {
    sidecar: new Actor(app),
    application: new Actor(app),
    exempt: new Actor(app),
    peer: new Actor(peer),
  };
  await actors.exempt.ask({ t: "become", uid: 0, gid: 1337 });
  for (const [name, port] of [
    ["outbound", 15001],
    ["inbound", 15006],
    ["dns", 15053],
    ["health", 15021],
    ["application", 9080],
    ["application", 5600],
  ] as const) {
    await actors.sidecar.ask({ t: "serve", name, port });
  }
  for (const port of [80, 53, 5432, 15012]) await actors.peer.ask({ t: "serve", name: "peer", port });
});

after(() => {
  for (const actor of Object.values(actors ?? {})) actor.end();
  if (missing) return;
  for (const namespace of [app, peer]) ip("netns", "delete", namespace);
});

/** Which server answered, and the destination the kernel remembers: the dialled one, redirected or not. */
type Who = "application" | "exempt" | "peer";
const cases: readonly [
  who: Who,
  what: "tcp" | "udp",
  host: string,
  port: number,
  answer: string,
  why: string,
][] = [
  [
    "application",
    "tcp",
    other.v4,
    80,
    `outbound ${other.v4} 80`,
    "a call goes to the sidecar with its destination",
  ],
  ["application", "tcp", other.v6, 80, `outbound ${other.v6} 80`, "over IPv6 alike"],
  [
    "application",
    "tcp",
    "240.240.0.9",
    9080,
    "outbound 240.240.0.9 9080",
    "a virtual address needs no route of its own",
  ],
  ["application", "tcp", other.v4, 5432, "peer not redirected", "an excluded port is left alone"],
  [
    "application",
    "tcp",
    other.v4,
    15012,
    `outbound ${other.v4} 15012`,
    "the control plane's port is free for the mesh only",
  ],
  ["exempt", "tcp", other.v4, 80, "peer not redirected", "the mesh's own group is not captured"],
  ["exempt", "tcp", other.v6, 80, "peer not redirected", "over IPv6 alike"],
  [
    "exempt",
    "tcp",
    own.v4,
    9080,
    `inbound ${own.v4} 9080`,
    "the sidecar calling its own workload enters as a peer does",
  ],
  ["exempt", "tcp", own.v6, 9080, `inbound ${own.v6} 9080`, "over IPv6 alike"],
  [
    "exempt",
    "tcp",
    "127.0.0.1",
    9080,
    "application 127.0.0.1 9080",
    "the sidecar reaches the application on loopback",
  ],
  [
    "application",
    "tcp",
    "127.0.0.1",
    9080,
    "application 127.0.0.1 9080",
    "the application reaches itself on loopback",
  ],
  ["application", "tcp", own.v4, 9080, `application ${own.v4} 9080`, "and by its own address"],
  ["peer", "tcp", own.v4, 9080, `inbound ${own.v4} 9080`, "a call from outside goes to the sidecar"],
  ["peer", "tcp", own.v6, 9080, `inbound ${own.v6} 9080`, "over IPv6 alike"],
  ["peer", "tcp", own.v4, 15021, `health ${own.v4} 15021`, "health checks are left alone"],
  ["peer", "tcp", own.v4, 15006, "no answer", "a capture port can't be reached from outside"],
  ["peer", "tcp", own.v4, 15053, "no answer", "nor the workload's DNS"],
  ["application", "udp", other.v4, 53, "dns", "a question over UDP goes to the agent"],
  ["application", "udp", other.v6, 53, "dns", "over IPv6 alike"],
  ["application", "udp", "127.0.0.53", 53, "dns", "also one to a resolver on loopback"],
  ["application", "tcp", other.v4, 53, `dns ${other.v4} 53`, "a question over TCP goes to the agent"],
  ["exempt", "udp", other.v4, 53, "peer", "the agent's own question goes to the resolver"],
  ["exempt", "tcp", other.v4, 53, "peer not redirected", "over TCP alike"],
  ["peer", "udp", own.v4, 9080, "no answer", "nothing but TCP reaches the application from outside"],
  ["peer", "udp", own.v6, 9080, "no answer", "over IPv6 alike"],
  ["peer", "udp", own.v4, 15053, "no answer", "nor the workload's DNS"],
  ["application", "udp", own.v4, 9080, "application", "the application reaches itself by UDP"],
  ["application", "udp", other.v4, 80, "peer", "its own questions by UDP are answered"],
];

for (const [who, what, host, port, answer, why] of cases) {
  test(`${who} ${what} to ${host} port ${port} meets "${answer}": ${why}`, { skip }, async () => {
    assert.equal(await actors![who].ask({ t: what, host, port }), answer);
  });
}

test("a port that is left alone is reached by UDP as well", { skip }, async () => {
  assert.equal(await actors!.peer.ask({ t: "udp", host: own.v4, port: 5600 }), "application");
});

test("no mark on a socket gets it past the sidecar", { skip }, async () => {
  const marked = { t: "tcp", host: other.v4, port: 80, mark: 1337 } as const;
  assert.equal(await actors!.application.ask(marked), `outbound ${other.v4} 80`);
});

test("what goes past the sidecar, and what is kept out, is counted", { skip }, async () => {
  const read = () =>
    parseCounters(ip("netns", "exec", app, findNft()!, "-j", "list", "counters", "table", "inet", "weft"));
  const before = read();
  await actors!.application.ask({ t: "udp", host: other.v4, port: 80 });
  await actors!.application.ask({ t: "udp", host: other.v6, port: 80 });
  await actors!.application.ask({ t: "udp", host: other.v4, port: 53 });
  await actors!.application.ask({ t: "tcp", host: other.v4, port: 80 });
  await actors!.exempt.ask({ t: "udp", host: other.v4, port: 80 });
  await actors!.peer.ask({ t: "udp", host: own.v6, port: 9080 });
  const after = read();
  assert.equal(after.passedBy - before.passedBy, 2, "not DNS, not TCP, not the mesh's own");
  assert.equal(after.keptOut - before.keptOut, 1);
});

test("what comes from 127.0.0.6 has been through the sidecar and reaches the application", {
  skip,
}, async () => {
  const answer = await actors!.exempt.ask({ t: "tcp", host: own.v4, port: 9080, from: "127.0.0.6" });
  assert.equal(answer, `application ${own.v4} 9080`);
});

test("what comes from ::6 has been through the sidecar, once loopback has the address", {
  skip,
}, async () => {
  const from = "::6";
  assert.equal(
    await actors!.exempt.ask({ t: "tcp", host: own.v6, port: 9080, from }),
    "EADDRNOTAVAIL",
    "which is why the agent gives it",
  );
  const address = (call: string) =>
    ip("netns", "exec", app, process.execPath, "--input-type=module", "-e", `${imported}${call}`);
  const imported = `import { addPassthroughSource } from ${JSON.stringify(sourceModule)};`;
  address("addPassthroughSource(); addPassthroughSource();");
  assert.equal(
    await actors!.exempt.ask({ t: "tcp", host: own.v6, port: 9080, from }),
    `application ${own.v6} 9080`,
  );
  address("addPassthroughSource().remove();");
  assert.doesNotMatch(ip("-n", app, "-6", "address", "show", "dev", "lo"), /::6/);
});

test("rules that a killed agent left are replaced, and taken away without a trace", { skip }, async () => {
  const before = ruleset(app);
  nft(app, rules);
  assert.equal(ruleset(app), before, "applied again they are the same, not twice");
  nft(app, removeNftRules());
  assert.equal(ruleset(app).trim(), "");
  assert.equal(await actors!.application.ask({ t: "tcp", host: other.v4, port: 80 }), "peer not redirected");
  nft(app, removeNftRules());
  assert.equal(ruleset(app).trim(), "", "taking away what is not there is no error");
});
