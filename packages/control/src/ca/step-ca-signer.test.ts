import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { systemClock } from "@weft/base/clock";
import { MeshError, UserError } from "@weft/base/errors";
import { createCsr } from "@weft/identity/csr";
import { jwtKeyId, publicJwk } from "@weft/identity/jwt-svid";
import { formatPrivateKey, generateKeyPair } from "@weft/identity/key-pair";
import { parseSpiffeId, parseTrustDomain } from "@weft/identity/spiffe-id";
import { makeCacerts } from "@weft/testkit/cacerts";
import { freePort } from "@weft/testkit/free-port";
import { findPeer } from "@weft/testkit/peer";
import { openStore } from "../store/open-store.ts";
import { type CertificateAuthority, openCertificateAuthority } from "./certificate-authority.ts";
import type { StepCaOptions } from "./step-ca-signer.ts";

const program = findPeer("weft-step-ca");
const trustDomain = parseTrustDomain("cluster.local");
const reviews = parseSpiffeId("spiffe://cluster.local/ns/default/sa/reviews");
const keys = await generateKeyPair();
const log = { info() {}, warn() {}, error() {} };

describe("a real step-ca", {
  skip: program ? false : "no weft-step-ca in WEFT_PEERS or ~/.cache/weft/peers",
}, () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-step-ca-"));
  let server: ChildProcess;
  let options: StepCaOptions;

  before(async () => {
    makeCacerts(folder);
    const { privateKey } = await generateKeyPair();
    writeFileSync(join(folder, "provisioner.pem"), formatPrivateKey(privateKey), { mode: 0o600 });
    const port = await freePort();
    const jwk = { ...publicJwk({ id: jwtKeyId(privateKey), privateKey }), use: "sig" };
    const config = {
      root: join(folder, "root-cert.pem"),
      crt: join(folder, "middle-cert.pem"),
      key: join(folder, "middle-key.pem"),
      address: `127.0.0.1:${port}`,
      dnsNames: ["127.0.0.1"],
      authority: { provisioners: [{ type: "JWK", name: "mesh", key: jwk }] },
    };
    writeFileSync(join(folder, "ca.json"), JSON.stringify(config));
    server = spawn(program!, [join(folder, "ca.json")], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    server.stderr!.on("data", (chunk) => (said += chunk));
    options = {
      url: `https://127.0.0.1:${port}`,
      provisioner: "mesh",
      key: join(folder, "provisioner.pem"),
      root: join(folder, "root-cert.pem"),
    };
    while (!said.includes("Serving HTTPS")) {
      assert.equal(server.exitCode, null, said);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });
  after(async () => {
    if (server?.exitCode === null) {
      server.kill();
      await once(server, "exit");
    }
    rmSync(folder, { recursive: true });
  });

  async function withAuthority<T>(
    changes: Partial<StepCaOptions>,
    use: (ca: CertificateAuthority) => Promise<T>,
  ): Promise<T> {
    const directory = mkdtempSync(join(tmpdir(), "weft-step-state-"));
    const store = openStore({ directory, trustDomain, clock: systemClock });
    try {
      const stepCa = { ...options, ...changes };
      const ttl = { certificateTtlMs: 3_600_000 };
      return await use(
        await openCertificateAuthority({ store, trustDomain, clock: systemClock, log, stepCa, ...ttl }),
      );
    } finally {
      store.close();
      rmSync(directory, { recursive: true });
    }
  }

  const ask = (ca: CertificateAuthority) =>
    ca.createCertificate({ csrPem: createCsr(keys, reviews), auth: { peer: reviews }, address: "10.0.0.1" });

  test("signs for workloads and for the control plane itself, a chain that openssl finds good", async () => {
    await withAuthority({}, async (ca) => {
      const answer = await ask(ca);
      assert.ok(answer.isIssued);
      assert.equal(answer.chainPem.length, 3);
      assert.ok(answer.notAfterMs <= Date.now() + 3_600_000);
      assert.equal(ca.verifyPeer(answer.chainPem[0]!), reviews, "by the leaf alone, as a server sees it");
      writeFileSync(join(folder, "leaf.pem"), answer.chainPem[0]!);
      writeFileSync(join(folder, "untrusted.pem"), answer.chainPem[1]!);
      const chain = [
        "-CAfile",
        options.root,
        "-untrusted",
        join(folder, "untrusted.pem"),
        join(folder, "leaf.pem"),
      ];
      assert.match(execFileSync("openssl", ["verify", ...chain], { encoding: "utf8" }), /leaf\.pem: OK/);
      const serving = await ca.openServingCertificate();
      const shown = execFileSync("openssl", ["x509", "-noout", "-ext", "subjectAltName"], {
        input: serving.current.chainPem,
        encoding: "utf8",
      });
      serving.close();
      assert.match(shown, /sa\/weft-control-plane/);
      assert.match(shown, /DNS:weft-control-plane/);
    });
  });

  test("what it does not sign is said in its words, and can be tried again", async () => {
    const stranger = join(folder, "stranger.pem");
    writeFileSync(stranger, formatPrivateKey((await generateKeyPair()).privateKey));
    const cases: [Partial<StepCaOptions>, RegExp][] = [
      [{ key: stranger }, /step-ca answered 40\d/],
      [{ provisioner: "other" }, /step-ca answered 40\d/],
      [{ url: `https://127.0.0.1:${await freePort()}` }, /step-ca: .*ECONNREFUSED/],
    ];
    for (const [changes, message] of cases) {
      await withAuthority(changes, async (ca) => {
        await assert.rejects(
          ask(ca),
          (error) => error instanceof MeshError && error.isRetrySafe && message.test(error.message),
          `${message}`,
        );
      });
    }
  });

  test("one of another root is not spoken to, and options that cannot work are refused by name", async () => {
    const other = join(folder, "other-root.pem");
    const elsewhere = mkdtempSync(join(tmpdir(), "weft-cacerts-"));
    makeCacerts(elsewhere);
    writeFileSync(other, readFileSync(join(elsewhere, "root-cert.pem")));
    rmSync(elsewhere, { recursive: true });
    await withAuthority({ root: other }, (ca) => assert.rejects(ask(ca), /step-ca: .*(certificate|issuer)/));
    const cases: [Partial<StepCaOptions>, RegExp][] = [
      [{ url: "http://127.0.0.1" }, /--step-ca http:\/\/127\.0\.0\.1: this is no https URL/],
      [{ key: options.root }, /--step-ca-key .*no ECDSA P-256 key/],
      [{ key: join(folder, "absent") }, /--step-ca-key .*absent: /],
      [{ root: join(folder, "middle-cert.pem") }, /middle-cert\.pem: .*not a self-signed/],
    ];
    for (const [changes, message] of cases) {
      await assert.rejects(
        withAuthority(changes, async () => {}),
        (error) => error instanceof UserError && message.test(error.message),
        `${message}`,
      );
    }
  });
});
