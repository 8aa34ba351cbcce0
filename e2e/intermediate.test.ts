/**
 * A mesh whose certificates come from an operator's intermediate, two below the
 * root: every data plane serves the whole chain, and believes one by the root alone.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { makeCacerts } from "../packages/testkit/src/cacerts.ts";
import { findPeer } from "../packages/testkit/src/peer.ts";
import { LocalMesh } from "./local-mesh.ts";

const peers = { envoy: findPeer("envoy"), go: findPeer("weft-grpc-go") };
const missing = Object.entries(peers).flatMap(([name, path]) => (path ? [] : [name]));
const kinds = ["weft", "envoy", "go"] as const;
type Kind = (typeof kinds)[number];
const appPort = 50051;
const sidecarPort = 15051;
const askPort = 9000;
const hostOf = (role: "server" | "client", kind: Kind) => kinds.indexOf(kind) + (role === "server" ? 10 : 20);
const flagsOf: Readonly<Record<Kind, readonly string[]>> = {
  weft: [],
  envoy: ["--proxy", "envoy", "--envoy-path", peers.envoy ?? ""],
  go: ["--proxy", "none"],
};

describe("certificates of an operator's intermediate", {
  skip: missing.length > 0 ? `without ${missing.join(", ")}` : false,
}, () => {
  const cacerts = mkdtempSync(join(tmpdir(), "weft-cacerts-"));
  let mesh: LocalMesh;

  before(async () => {
    makeCacerts(cacerts);
    mesh = await LocalMesh.start("--cacerts", cacerts);
    for (const kind of kinds) {
      const address = mesh.addressOf(hostOf("server", kind));
      const inbound = kind === "go" ? [] : ["--inbound-port", `${appPort}=${sidecarPort}`];
      await mesh.run(
        `echo-${kind}`,
        hostOf("server", kind),
        ["--port", `${appPort}:grpc:grpc`, ...inbound, ...flagsOf[kind]],
        [peers.go!, "server", `${address}:${appPort}`, kind, kind === "go" ? "xds" : "plain"],
      );
    }
  });
  after(async () => {
    await mesh?.close();
    rmSync(cacerts, { recursive: true });
  });

  async function ask(from: string, host: number): Promise<Record<string, number>> {
    try {
      const response = await fetch(`http://${mesh.addressOf(host)}:${askPort}/`);
      return (await response.json()) as Record<string, number>;
    } catch (error) {
      return { [`${from}: ${String(error)}`]: 1 };
    }
  }

  for (const [index, [from, to]] of kinds.flatMap((a) => kinds.map((b) => [a, b] as const)).entries()) {
    test(`${from} and ${to} accept each other`, async () => {
      const host = 20 + index;
      const address = mesh.addressOf(host);
      const isProxyless = from === "go";
      const target = isProxyless ? `xds:///echo-${to}:${appPort}` : `${address}:20000`;
      const upstream = isProxyless ? [] : ["--upstream", `echo-${to}:${appPort}=${address}:20000`];
      await mesh.run(
        `client-${from}-${to}`,
        host,
        [...upstream, ...flagsOf[from]],
        [peers.go!, "client", target, `${address}:${askPort}`, isProxyless ? "xds" : "plain"],
      );
      await mesh.until(`${from} reaches ${to}`, async () => (await ask(from, host))[to] === 1);
    });
  }

  for (const kind of kinds) {
    test(`what ${kind} serves is good by the root alone, for openssl`, async () => {
      const where = `${mesh.addressOf(hostOf("server", kind))}:${kind === "go" ? appPort : sidecarPort}`;
      const said = await servedTo("-connect", where, "-CAfile", join(cacerts, "root-cert.pem"), "-showcerts");
      assert.match(said, /Verification: OK/);
      assert.equal(said.match(/BEGIN CERTIFICATE/g)?.length, 3, "leaf, issuing, the one above it");
    });
  }

  test("the certificate authority's status names the root and the issuer", async () => {
    const { stdout } = await mesh.weft("ca", "status");
    assert.match(stdout, /root +CN=Example root/);
    assert.match(stdout, /issuer +CN=Example ca/);
  });
});

/** What openssl says of a server's handshake; it may be refused afterwards, for want of a certificate. */
async function servedTo(...args: readonly string[]): Promise<string> {
  const child = spawn("openssl", ["s_client", "-alpn", "h2", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stdout.on("data", (chunk) => (said += chunk));
  child.stderr.on("data", (chunk) => (said += chunk));
  await once(child, "close");
  return said;
}
