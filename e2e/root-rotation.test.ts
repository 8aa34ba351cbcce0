/**
 * Leaves and the root are replaced under load, with our sidecar and Envoy at
 * either end of the calls: none fails, also when the control plane is killed on the way.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connect as connectTls } from "node:tls";
import type { CaStatus } from "../packages/control/src/api/protocol.ts";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { LocalMesh } from "./local-mesh.ts";

const envoy = findPeer("envoy");
const kinds = ["weft", "envoy"] as const;
type Kind = (typeof kinds)[number];
const pairs = kinds.flatMap((caller) => kinds.map((callee) => [caller, callee] as const));
const hosts = { caller: { weft: 1, envoy: 2 }, api: { weft: 3, envoy: 4 } } as const;
const httpPort = (callee: Kind) => (callee === "weft" ? 20000 : 20001);
const tcpPort = (callee: Kind) => (callee === "weft" ? 20002 : 20003);
const rate = 125;
const loadClient = join(import.meta.dirname, "..", "bench", "constant-rate-client.ts");
const idle = "setInterval(() => {}, 1000)";
const app = (address: string) => `
  require("http").createServer((_, response) => response.end("x".repeat(100))).listen(8080, ${JSON.stringify(address)});
  require("net").createServer((socket) => socket.pipe(socket)).listen(7000, ${JSON.stringify(address)});
`;
const proxyFlags = (kind: Kind) => (kind === "envoy" ? ["--proxy", "envoy", "--envoy-path", envoy!] : []);

describe("certificates are replaced under 500 requests per second", {
  skip: envoy ? false : "no envoy on PATH, in WEFT_PEERS or ~/.cache/weft/peers",
}, () => {
  let mesh: LocalMesh;

  before(async () => {
    mesh = await LocalMesh.start("--certificate-ttl", "40s");
    for (const kind of kinds) {
      const [caller, api] = [mesh.addressOf(hosts.caller[kind]), mesh.addressOf(hosts.api[kind])];
      const ports = ["--port", "8080:http", "--inbound-port", "8080=18080"];
      ports.push("--port", "7000:tcp", "--inbound-port", "7000=17000");
      const command = [process.execPath, "-e", app(api)];
      await mesh.run(`api-${kind}`, hosts.api[kind], [...ports, ...proxyFlags(kind)], command);
      const upstreams = kinds.flatMap((callee) => [
        ...["--upstream", `api-${callee}:8080=${caller}:${httpPort(callee)}`],
        ...["--upstream", `api-${callee}:7000=${caller}:${tcpPort(callee)}`],
      ]);
      const flags = [...upstreams, ...proxyFlags(kind)];
      await mesh.run(`caller-${kind}`, hosts.caller[kind], flags, [process.execPath, "-e", idle]);
    }
    for (const [caller, callee] of pairs) {
      await mesh.until(`${caller} reaches ${callee}`, async () => {
        const ok = await fetch(url(caller, callee)).then(
          (response) => response.ok,
          () => false,
        );
        return ok && (await isEchoed(caller, callee));
      });
    }
  });
  after(() => mesh?.close());

  function url(caller: Kind, callee: Kind): string {
    return `http://${mesh.addressOf(hosts.caller[caller])}:${httpPort(callee)}/`;
  }

  /** A connection of its own, and so a handshake of its own between the sidecars. */
  function isEchoed(caller: Kind, callee: Kind): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(tcpPort(callee), mesh.addressOf(hosts.caller[caller]));
      let isDone = false;
      socket.on("error", () => {});
      socket.on("data", () => {
        isDone = true;
        socket.end();
      });
      socket.on("close", () => resolve(isDone));
      socket.write("x");
    });
  }

  async function status(): Promise<CaStatus> {
    return JSON.parse((await mesh.weft("ca", "status", "-o", "json")).stdout) as CaStatus;
  }

  /** The certificate that a sidecar shows now. */
  async function shownBy(kind: Kind): Promise<X509Certificate> {
    const where = { host: mesh.addressOf(hosts.api[kind]), port: 18080, ALPNProtocols: ["istio"] };
    const socket = connectTls({ ...where, rejectUnauthorized: false });
    socket.on("error", () => {});
    await once(socket, "secureConnect");
    const certificate = socket.getPeerX509Certificate()!;
    socket.destroy();
    return certificate;
  }

  /** Requests of every pair, and handshakes of every pair, for this long; resolves to what failed. */
  async function load(seconds: number): Promise<{ readonly requests: number; readonly failed: number }> {
    const clients = pairs.map(([caller, callee]) => startClient(url(caller, callee), seconds));
    const endMs = Date.now() + seconds * 1_000;
    let [handshakes, failedHandshakes] = [0, 0];
    const connections = pairs.map(async ([caller, callee]) => {
      while (Date.now() < endMs) {
        handshakes += 1;
        if (!(await isEchoed(caller, callee))) failedHandshakes += 1;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    });
    await Promise.all(connections);
    const failures = await Promise.all(clients);
    const failed = failures.reduce((sum, one) => sum + one, failedHandshakes);
    return { requests: pairs.length * rate * seconds + handshakes, failed };
  }

  async function startClient(target: string, seconds: number): Promise<number> {
    const args = ["--no-warnings", loadClient, target, "http1", String(rate), String(seconds), "8"];
    const child: ChildProcess = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    let printed = "";
    child.stdout!.on("data", (chunk) => (printed += chunk));
    await once(child, "close");
    return (JSON.parse(printed) as { failures: number }).failures;
  }

  test("a rotation of leaves and root fails no call", async (t) => {
    const before = await Promise.all(kinds.map(shownBy));
    const oldRoot = new X509Certificate((await status()).rootPem);
    const seconds = 40;
    const loaded = load(seconds);
    const rotated = await mesh.weft("ca", "rotate", "-o", "json");
    assert.equal(rotated.code, 0, rotated.stderr);
    const { requests, failed } = await loaded;
    const newRoot = new X509Certificate((await status()).rootPem);
    const shown = await Promise.all(kinds.map(shownBy));
    for (const [index, certificate] of shown.entries()) {
      assert.ok(certificate.verify(newRoot.publicKey) && !certificate.verify(oldRoot.publicKey));
      assert.notEqual(certificate.serialNumber, before[index]!.serialNumber);
    }
    const { issued } = await status();
    assert.ok(issued >= 4 * 3, `${issued} certificates: each workload renewed for age and for the root`);
    t.diagnostic(`${requests} requests and handshakes, ${failed} failed, ${issued} certificates issued`);
    assert.equal(failed, 0);
    assert.match(rotated.stderr, /trust: .*\n.*issue: .*\n.*retire: .*\n.*done/);
  });

  test("forced, the old root is distrusted within seconds, and every pair calls by the new one", async () => {
    const before = await status();
    const oldRoot = new X509Certificate(before.rootPem);
    const { code, stderr } = await mesh.weft("ca", "rotate", "--force");
    assert.equal(code, 0, stderr);
    const { bundlePem, rotation } = await status();
    assert.ok(rotation?.isForced && rotation.from.fingerprint === before.rootFingerprint);
    assert.equal(bundlePem.match(/BEGIN/g)?.length, 1);
    for (const [caller, callee] of pairs) {
      await mesh.until(`${caller} reaches ${callee} by the new root`, () => isEchoed(caller, callee));
    }
    for (const kind of kinds) assert.ok(!(await shownBy(kind)).verify(oldRoot.publicKey));
  });

  for (const phase of ["trust", "issue", "retire"]) {
    test(`killed in phase ${phase}, the control plane goes on where it was, and no call fails`, async (t) => {
      const { rootFingerprint } = await status();
      const loaded = load(20);
      assert.equal((await mesh.weft("ca", "rotate", "--no-wait")).code, 0);
      await mesh.until(`phase ${phase}`, async () => (await status()).rotation?.phase === phase);
      if (phase === "trust") {
        assert.match(
          (await mesh.weft("status")).stderr,
          /the root is being replaced, phase (trust|issue|retire)/,
        );
      }
      await mesh.killControlPlane();
      await mesh.startControlPlane();
      await mesh.until("the rotation is done", async () => {
        const { rotation } = await status();
        return rotation?.phase === "done" && rotation.from.fingerprint === rootFingerprint;
      });
      const { requests, failed } = await loaded;
      t.diagnostic(`${requests} requests and handshakes, ${failed} failed`);
      assert.equal(failed, 0);
    });
  }
});
