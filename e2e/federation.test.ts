/**
 * Two meshes of two trust domains, each with Weft's sidecar and Envoy: they call
 * each other once both are federated, as the identities their policies name, and
 * while the other one replaces its root.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { FederatedDomain } from "../packages/control/src/api/federation-protocol.ts";
import { freePort } from "../packages/testkit/src/free-port.ts";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { TestCa } from "../packages/testkit/src/test-ca.ts";
import { LocalMesh } from "./local-mesh.ts";

const envoy = findPeer("envoy");
const kinds = ["weft", "envoy"] as const;
type Kind = (typeof kinds)[number];
const sides = ["east", "west"] as const;
type Side = (typeof sides)[number];
const other = { east: "west", west: "east" } as const;
const pairs = sides.flatMap((side) =>
  kinds.flatMap((caller) => kinds.map((callee) => [side, caller, callee] as const)),
);
/** Both meshes have their workloads in one network. */
const hostOf = (side: Side, role: "caller" | "api", kind: Kind) =>
  (side === "east" ? 0 : 100) + (role === "caller" ? 0 : 10) + (kind === "weft" ? 1 : 2);
const portOf = { weft: 20000, envoy: 20001 } as const;
const rate = 40;
const loadClient = join(import.meta.dirname, "..", "bench", "constant-rate-client.ts");
const app = (address: string) =>
  `require("http").createServer((q, s) => s.end(q.headers["x-forwarded-client-cert"] ?? "")).listen(8080, ${JSON.stringify(address)})`;
const proxyFlags = (kind: Kind) => (kind === "envoy" ? ["--proxy", "envoy", "--envoy-path", envoy!] : []);

describe("two federated meshes", {
  skip: envoy ? false : "no envoy on PATH, in WEFT_PEERS or ~/.cache/weft/peers",
}, () => {
  const web = new TestCa();
  const folder = mkdtempSync(join(tmpdir(), "weft-federation-"));
  const meshes = {} as Record<Side, LocalMesh>;
  const ports = {} as Record<Side, number>;

  before(async () => {
    for (const side of sides) {
      ports[side] = await freePort();
      const flags = ["--trust-domain", `${side}.example`, "--federation-allow", "127.0.0.0/8"];
      flags.push("--federation-address", "127.0.0.1", "--federation-port", `${ports[side]}`);
      flags.push("--federation-refresh-hint", "1s");
      const files = filesOf(web.leaf("a", "b", { uris: [], dnsNames: ["localhost"] }));
      // East is known by its SPIFFE ID, west by a certificate for its host name.
      if (side === "west") flags.push("--federation-cert", files.cert, "--federation-key", files.key);
      else flags.push("--federation-ca", files.ca);
      meshes[side] = await LocalMesh.start(...flags);
    }
    for (const side of sides) {
      const mesh = meshes[side];
      const trust = ["--trust-domain", `${side}.example`];
      for (const kind of kinds) {
        const [caller, api] = [
          mesh.addressOf(hostOf(side, "caller", kind)),
          mesh.addressOf(hostOf(side, "api", kind)),
        ];
        const inbound = ["--port", "8080:http", "--inbound-port", "8080=18080"];
        const served = [process.execPath, "-e", app(api)];
        await mesh.run(
          `api-${kind}`,
          hostOf(side, "api", kind),
          [...trust, ...inbound, ...proxyFlags(kind)],
          served,
        );
        const upstreams = kinds.flatMap((callee) => [
          "--upstream",
          `${callee}.${other[side]}.example:8080=${caller}:${portOf[callee]}`,
        ]);
        const idle = [process.execPath, "-e", "setInterval(() => {}, 1000)"];
        const flags = [...trust, ...upstreams, ...proxyFlags(kind)];
        await mesh.run(`caller-${kind}`, hostOf(side, "caller", kind), flags, idle);
      }
      await apply(
        side,
        "foreign.yaml",
        kinds.map((kind) => foreignService(mesh, other[side], kind)).join("---\n"),
      );
    }
    for (const side of sides) {
      await meshes[side].until(`${side} is in service`, async () => {
        const { stdout } = await meshes[side].weft("status", "-o", "json");
        const { workloads } = JSON.parse(stdout) as { workloads: { health: string }[] };
        return workloads.length === 4 && !stdout.includes('"nacked"');
      });
      for (const kind of kinds)
        await meshes[side].until("the caller listens", async () => (await status(side, kind, kind)) !== 0);
    }
  });
  after(async () => {
    for (const side of sides) await meshes[side]?.close();
    rmSync(folder, { recursive: true });
  });

  function filesOf({ chainPem, keyPem }: { readonly chainPem: string; readonly keyPem: string }) {
    const write = (name: string, text: string) => {
      const path = join(folder, name);
      writeFileSync(path, text, { mode: 0o600 });
      return path;
    };
    return {
      cert: write("cert.pem", chainPem),
      key: write("key.pem", keyPem),
      ca: write("ca.pem", web.bundlePem),
    };
  }

  async function apply(side: Side, name: string, text: string): Promise<void> {
    const path = join(meshes[side].state, name);
    writeFileSync(path, text);
    const { code, stderr } = await meshes[side].weft("apply", "-f", path);
    assert.equal(code, 0, stderr);
  }

  const urlOf = (side: Side, caller: Kind, callee: Kind) =>
    `http://${meshes[side].addressOf(hostOf(side, "caller", caller))}:${portOf[callee]}/`;

  /** 0 where nothing answers. */
  async function status(side: Side, caller: Kind, callee: Kind): Promise<number> {
    return fetch(urlOf(side, caller, callee)).then(
      (response) => response.status,
      () => 0,
    );
  }

  async function untilAll(what: string, expected: number): Promise<void> {
    for (const [side, caller, callee] of pairs) {
      await meshes[side].until(`${what}: ${caller} of ${side} calls ${callee}`, async () => {
        return (await status(side, caller, callee)) === expected;
      });
    }
  }

  async function known(side: Side): Promise<FederatedDomain | undefined> {
    const { stdout, stderr } = await meshes[side].weft("federation", "list", "-o", "json");
    assert.notEqual(stdout, "", stderr);
    return (JSON.parse(stdout) as FederatedDomain[])[0];
  }

  async function add(side: Side): Promise<void> {
    const foreign = other[side];
    const flags =
      foreign === "west"
        ? ["--url", `https://localhost:${ports.west}/`]
        : [
            ...["--url", `https://127.0.0.1:${ports.east}/`, "--profile", "https_spiffe"],
            ...["--endpoint-id", "spiffe://east.example/ns/weft-system/sa/weft-control-plane"],
            ...["--bundle", await bundleFile("east")],
          ];
    const { code, stderr } = await meshes[side].weft("federation", "add", `${foreign}.example`, ...flags);
    assert.equal(code, 0, stderr);
    await meshes[side].until(
      `${side} has the bundle of ${foreign}`,
      async () => (await known(side))?.state === "fetched",
    );
  }

  async function bundleFile(side: Side): Promise<string> {
    const { stdout } = await meshes[side].weft("federation", "show", "-o", "bundle");
    const path = join(meshes[side].state, "bundle.json");
    writeFileSync(path, stdout);
    return path;
  }

  test("no call passes before both sides are federated", async () => {
    await untilAll("nobody is federated", 503);
    await add("west");
    const { code, stdout } = await meshes.west.weft("federation", "show", "east.example");
    assert.equal(code, 0);
    assert.match(stdout, /https_spiffe\n.*known as\s+spiffe:\/\/east\.example.*\n.*state\s+fetched/s);
    for (const [side, caller, callee] of pairs) assert.equal(await status(side, caller, callee), 503);
  });

  test("federated, both sidecars call both of the other mesh, and each is told who calls", async () => {
    await add("east");
    await untilAll("federated", 200);
    for (const [side, caller, callee] of pairs) {
      const told = await (await fetch(urlOf(side, caller, callee))).text();
      assert.match(told, new RegExp(`URI=spiffe://${side}\\.example/ns/default/sa/caller-${caller}$`));
      assert.match(told, new RegExp(`By=spiffe://${other[side]}\\.example/ns/default/sa/api-${callee}`));
    }
  });

  test("a service that proves another identity of the federated domain is not called", async () => {
    const wrong = foreignService(meshes.east, "west", "weft").replace("sa/api-weft", "sa/somebody");
    await apply("east", "wrong.yaml", wrong);
    await meshes.east.until(
      "the caller refuses it",
      async () => (await status("east", "weft", "weft")) === 503,
    );
    await apply("east", "right.yaml", foreignService(meshes.east, "west", "weft"));
    await untilAll("as before", 200);
  });

  test("policies name foreign principals, and mean their own namespaces", async () => {
    const allow = (source: string) => `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: callers }
spec: { rules: [{ from: [{ source: { ${source} } }] }] }
`;
    await apply("west", "policy.yaml", allow("principals: [east.example/ns/default/sa/caller-weft]"));
    for (const callee of kinds) {
      await meshes.east.until("caller-weft may", async () => (await status("east", "weft", callee)) === 200);
      await meshes.east.until(
        "caller-envoy may not",
        async () => (await status("east", "envoy", callee)) === 403,
      );
    }
    await apply("west", "policy.yaml", allow("namespaces: [default]"));
    for (const callee of kinds) {
      await meshes.east.until(
        "a namespace of another mesh is none",
        async () => (await status("east", "weft", callee)) === 403,
      );
    }
    await apply("west", "policy.yaml", allow("trustDomains: [east.example]"));
    await untilAll("the trust domain may", 200);
    assert.equal((await meshes.west.weft("delete", "ap", "callers")).code, 0);
  });

  test("each replaces its root under traffic in both directions, and no call fails", async (t) => {
    const before = (await known("east"))!.roots[0]!.fingerprint;
    const seconds = 30;
    const loaded = Promise.all(
      pairs.map(([side, caller, callee]) => load(urlOf(side, caller, callee), seconds)),
    );
    const handshakes = shakeHands(seconds);
    for (const side of sides) {
      const rotated = await meshes[side].weft("ca", "rotate");
      assert.equal(rotated.code, 0, rotated.stderr);
    }
    const failed = (await loaded).reduce((sum, one) => sum + one, 0);
    t.diagnostic(
      `${pairs.length * rate * seconds} requests, ${failed} failed; ${await handshakes} new connections`,
    );
    assert.equal(failed, 0);
    await meshes.east.until("east forgets the old root of west", async () => {
      const { roots } = (await known("east"))!;
      return roots.length === 1 && roots[0]!.fingerprint !== before;
    });
    await untilAll("afterwards", 200);
  });

  test("no longer federated, nobody of the other domain gets through, open connections included", async () => {
    const client = load(urlOf("east", "weft", "weft"), 8);
    assert.equal((await meshes.west.weft("federation", "remove", "east.example")).code, 0);
    await untilAll("not federated", 503);
    assert.ok((await client) > 0);
    assert.equal(await known("west"), undefined);
    await add("west");
    await untilAll("federated again", 200);
  });

  test("a restart while the other endpoint is away goes on with the last bundle", async () => {
    await meshes.west.killControlPlane();
    await meshes.east.killControlPlane();
    await meshes.east.startControlPlane();
    await meshes.east.until("it says so", async () => (await known("east"))?.problem !== undefined);
    const { state, sequence } = (await known("east"))!;
    assert.equal(state, "fetched");
    assert.match(sequence!, /^\d+$/);
    await meshes.east.until(
      "its callers are back",
      async () => (await status("east", "weft", "envoy")) === 200,
    );
    await meshes.west.startControlPlane();
    await meshes.east.until(
      "the bundle is renewed",
      async () => (await known("east"))?.problem === undefined,
    );
    await untilAll("all are back", 200);
  });

  /** Resolves to how many requests failed. */
  async function load(url: string, seconds: number): Promise<number> {
    const args = ["--no-warnings", loadClient, url, "http1", String(rate), String(seconds), "2"];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    let printed = "";
    child.stdout.on("data", (chunk) => (printed += chunk));
    await once(child, "close");
    return (JSON.parse(printed) as { failures: number }).failures;
  }

  /** New connections all along, which must all be served. */
  async function shakeHands(seconds: number): Promise<number> {
    const endMs = Date.now() + seconds * 1_000;
    let count = 0;
    while (Date.now() < endMs) {
      for (const [side, caller, callee] of pairs) {
        const socket = connect(portOf[callee], meshes[side].addressOf(hostOf(side, "caller", caller)));
        socket.write("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        const [answer] = (await once(socket, "data")) as [Buffer];
        assert.match(answer.toString("latin1"), /^HTTP\/1\.1 200/);
        socket.destroy();
        count += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return count;
  }
});

/** What a mesh writes down of a service of the other one. */
function foreignService(mesh: LocalMesh, side: Side, kind: Kind): string {
  const host = `${kind}.${side}.example`;
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${kind} }
spec:
  hosts: [${host}]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{ number: 8080, name: http, protocol: HTTP }]
  endpoints: [{ address: ${mesh.addressOf(hostOf(side, "api", kind))}, ports: { http: 18080 } }]
  subjectAltNames: ["spiffe://${side}.example/ns/default/sa/api-${kind}"]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${kind} }
spec: { host: ${host}, trafficPolicy: { tls: { mode: ISTIO_MUTUAL } } }
`;
}
