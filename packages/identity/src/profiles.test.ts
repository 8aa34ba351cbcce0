import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { generateKeyPair, spkiOf } from "./key-pair.ts";
import { issueIntermediate, issueLeaf, issueRoot } from "./profiles.ts";
import { parseTrustDomain } from "./spiffe-id.ts";
import { workloadSpiffeId } from "./workload-id.ts";

const trustDomain = parseTrustDomain("cluster.local");
const dayMs = 86_400_000;
const nowMs = Date.now();
const life = (days: number) => ({ notBeforeMs: nowMs - 30_000, notAfterMs: nowMs + days * dayMs });

for (const curve of ["P-256", "P-384"] as const) {
  test(`openssl accepts leaf, intermediate and ${curve} root as a chain with the profile of the standard`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "weft-profiles-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const rootKeys = await generateKeyPair(curve);
    const root = issueRoot(rootKeys, trustDomain, life(3650));
    const middleKeys = await generateKeyPair();
    const signer = { certificate: root, privateKey: rootKeys.privateKey };
    const middle = issueIntermediate(signer, middleKeys.publicKey, trustDomain, life(365));
    const { publicKey } = await generateKeyPair();
    const leaf = issueLeaf(
      { certificate: middle, privateKey: middleKeys.privateKey },
      { ...life(1), spiffeId: workloadSpiffeId(trustDomain, "default", "reviews"), spki: spkiOf(publicKey) },
    );
    for (const [name, { pem }] of Object.entries({ root, middle, leaf }))
      writeFileSync(join(directory, name), pem);
    const openssl = (...args: readonly string[]) =>
      execFileSync("openssl", args, { encoding: "utf8", cwd: directory });

    for (const purpose of ["sslserver", "sslclient"]) {
      const args = ["-x509_strict", "-purpose", purpose, "-CAfile", "root", "-untrusted", "middle", "leaf"];
      assert.match(openssl("verify", ...args), /leaf: OK/);
    }
    const text = openssl("x509", "-in", "leaf", "-noout", "-text");
    assert.match(text, /Subject: *\n/);
    assert.match(
      text,
      /Subject Alternative Name: critical\s+URI:spiffe:\/\/cluster\.local\/ns\/default\/sa\/reviews\n/,
    );
    assert.match(text, /Basic Constraints: critical\s+CA:FALSE/);
    assert.match(text, /Key Usage: critical\s+Digital Signature\n/);
    assert.match(text, /TLS Web Server Authentication, TLS Web Client Authentication/);
    const rootText = openssl("x509", "-in", "root", "-noout", "-text");
    assert.match(rootText, /CA:TRUE\n/);
    assert.match(rootText, /Certificate Sign, CRL Sign\n/);
    assert.match(rootText, /URI:spiffe:\/\/cluster\.local\n/);
    assert.match(openssl("x509", "-in", "middle", "-noout", "-text"), /CA:TRUE, pathlen:0/);
  });
}

test("a leaf of an RSA key may also encipher keys, and no leaf outlives its issuer", async () => {
  const { generateKeyPairSync } = await import("node:crypto");
  const rootKeys = await generateKeyPair();
  const root = issueRoot(rootKeys, trustDomain, life(1));
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const leaf = issueLeaf(
    { certificate: root, privateKey: rootKeys.privateKey },
    { ...life(30), spiffeId: workloadSpiffeId(trustDomain, "default", "x"), spki: spkiOf(publicKey) },
  );
  assert.equal(leaf.facts.keyUsage, 0x80 | 0x20);
  assert.equal(leaf.facts.notAfterMs, root.facts.notAfterMs);
  assert.equal(leaf.facts.serial.length, 34, "16 random bytes with a zero byte that keeps them positive");
});
