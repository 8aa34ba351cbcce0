/** What a scanner finds at every TLS port: versions, cipher suites, renegotiation; nothing weak at any. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import tls from "node:tls";
import { safeCipherSuites } from "@weft/base/cipher-suites";
import { type ControlPlane, startControlPlane } from "@weft/control/control-plane";
import { inlineString, tlsEchoBootstrap } from "@weft/proxy/config/test-tls-echo";
import { type Contender, envoyOrSkip, startBoth } from "@weft/proxy/test-contenders";
import { TestCa } from "@weft/testkit/test-ca";

const authority = new TestCa();
const kinds = {
  ECDSA: authority.leaf("default", "api"),
  RSA: authority.leaf("default", "api", { keys: generateKeyPairSync("rsa", { modulusLength: 2048 }) }),
} as const;
type Kind = keyof typeof kinds;

const bootstrapOf = (kind: Kind) =>
  tlsEchoBootstrap({
    common_tls_context: {
      tls_certificates: [
        {
          certificate_chain: inlineString(kinds[kind].chainPem),
          private_key: inlineString(kinds[kind].keyPem),
        },
      ],
    },
  });

const everySuite = tls
  .getCiphers()
  .map((name) => name.toUpperCase())
  .filter((name) => !name.startsWith("TLS_"));
const versions = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"] as const;

/** What came of a handshake with this and nothing else. */
function shake(port: number, options: tls.ConnectionOptions): Promise<string | undefined> {
  return new Promise((resolve) => {
    let socket: tls.TLSSocket;
    try {
      socket = tls.connect({
        host: "127.0.0.1",
        port,
        rejectUnauthorized: false,
        ALPNProtocols: ["h2", "http/1.1"],
        ...options,
      });
    } catch {
      resolve(undefined); // not even this OpenSSL has it
      return;
    }
    socket.on("error", () => resolve(undefined));
    socket.on("close", () => resolve(undefined));
    socket.on("secureConnect", () => {
      resolve(socket.getCipher().name);
      socket.destroy();
    });
  });
}

async function scan(port: number) {
  const offered: string[] = [];
  for (const version of versions) {
    const ciphers = "ALL:@SECLEVEL=0";
    if (await shake(port, { minVersion: version, maxVersion: version, ciphers })) offered.push(version);
  }
  const suites: string[] = [];
  for (const name of everySuite) {
    const taken = await shake(port, {
      maxVersion: "TLSv1.2",
      minVersion: "TLSv1.2",
      ciphers: `${name}:@SECLEVEL=0`,
    });
    if (taken) suites.push(taken);
  }
  return { versions: offered, suites: suites.sort() };
}

describe("a scan of every TLS port", () => {
  const directory = mkdtempSync(join(tmpdir(), "weft-scan-"));
  const safe = new Set(safeCipherSuites.split(":"));
  let plane: ControlPlane;
  before(async () => {
    const silent = { info: () => {}, warn: () => {}, error: () => {} };
    const here = { address: "127.0.0.1", port: 0 };
    const usersFile = join(directory, "users.yaml");
    writeFileSync(join(directory, "ops.pem"), authority.bundlePem);
    writeFileSync(usersFile, "certificates: { ca: ops.pem, roles: [{ role: read, names: [CN=x] }] }");
    plane = await startControlPlane({
      ...{ stateDir: join(directory, "state"), trustDomain: "cluster.local", version: "test", log: silent },
      ...{
        ...here,
        httpAddress: "127.0.0.1",
        httpPort: 0,
        federation: { endpoint: { ...here, web: undefined } },
        remoteApi: { host: "127.0.0.1", port: 0, usersFile },
      },
    });
  });
  after(async () => {
    await plane.close();
    rmSync(directory, { recursive: true });
  });

  const ports = {
    "control plane": () => plane.port,
    "bundle endpoint": () => plane.federationPort!,
    "operators' API": () => plane.apiPort!,
  };
  for (const [name, port] of Object.entries(ports)) {
    it(`finds TLS 1.2 and 1.3 with safe suites alone at the ${name}`, async () => {
      const found = await scan(port());
      assert.deepEqual(found.versions, ["TLSv1.2", "TLSv1.3"]);
      assert.ok(
        found.suites.length > 0 && found.suites.every((suite) => safe.has(suite)),
        found.suites.join(" "),
      );
    });
  }

  for (const kind of ["ECDSA", "RSA"] as const) {
    it(`finds the same at the sidecar as at Envoy, with a certificate of ${kind}`, {
      skip: envoyOrSkip,
    }, async () => {
      const contenders: readonly Contender[] = await startBoth(bootstrapOf(kind));
      try {
        const [envoy, weft] = [await scan(contenders[0]!.port), await scan(contenders[1]!.port)];
        assert.deepEqual(weft, envoy);
        assert.deepEqual(weft.versions, ["TLSv1.2", "TLSv1.3"]);
        assert.ok(weft.suites.length > 0 && weft.suites.every((suite) => safe.has(suite)));
      } finally {
        for (const one of contenders) await one.close();
      }
    });
  }
});
