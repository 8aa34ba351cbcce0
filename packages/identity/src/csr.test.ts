import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "@weft/testkit/properties";
import { createCsr } from "./csr.ts";
import { generateKeyPair, spkiOf } from "./key-pair.ts";
import { decodePem, encodePem } from "./pem.ts";
import { parseSpiffeId } from "./spiffe-id.ts";
import { CsrError, maxCsrBytes, verifyCsr } from "./verify-csr.ts";

const id = parseSpiffeId("spiffe://cluster.local/ns/default/sa/reviews");

test("a request made beside the workload is verified with its identity and key", async () => {
  const keys = await generateKeyPair();
  const csr = verifyCsr(createCsr(keys, id));
  assert.equal(csr.spiffeId, id);
  assert.deepEqual(csr.spki, spkiOf(keys.publicKey));
});

test("openssl finds the request's signature good and its name critical", async (t) => {
  const file = join(temporary(t), "csr.pem");
  writeFileSync(file, createCsr(await generateKeyPair(), id));
  const text = openssl("req", "-in", file, "-noout", "-verify", "-text");
  assert.match(text, /verify OK/);
  assert.match(
    text,
    /Subject Alternative Name: critical\s+URI:spiffe:\/\/cluster\.local\/ns\/default\/sa\/reviews/,
  );
});

test("requests made by openssl are read as any others, and refused by what they ask for", (t) => {
  const directory = temporary(t);
  const make = (
    extensions: readonly string[],
    key: readonly string[] = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
  ) => {
    const file = join(directory, "csr.pem");
    const added = extensions.flatMap((extension) => ["-addext", extension]);
    const newkey = ["-newkey", ...key, "-nodes", "-keyout", join(directory, "key.pem")];
    openssl("req", "-new", ...newkey, "-subj", "/O=anything", ...added, "-out", file);
    return readFileSync(file, "utf8");
  };
  const san = `subjectAltName=URI:${id}`;
  for (const key of [undefined, ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"], ["rsa:2048"]]) {
    assert.equal(verifyCsr(make([san], key)).spiffeId, id);
  }
  assert.equal(verifyCsr(make([san, "keyUsage=digitalSignature", "basicConstraints=CA:FALSE"])).spiffeId, id);
  const cases: readonly [string, RegExp][] = [
    [make([]), /no SPIFFE ID/],
    [make([`${san},URI:spiffe://cluster.local/ns/default/sa/admin`]), /more than one URI/],
    [make([`${san},DNS:reviews`]), /more than its SPIFFE ID/],
    [make([`${san},IP:127.0.0.1`]), /more than its SPIFFE ID/],
    [make(["subjectAltName=DNS:reviews"]), /no SPIFFE ID/],
    [make(["subjectAltName=URI:https://example.org/"]), /no SPIFFE ID/],
    [make([san, "basicConstraints=CA:TRUE"]), /certificate authority/],
    [make([san, "nameConstraints=permitted;DNS:x"]), /2\.5\.29\.30/],
    [make([san], ["rsa:1024"]), /RSA key of 1024 bits/],
    [make([san], ["ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"]), /curve secp256k1/],
    [make([san], ["ed25519"]), /type ed25519/],
  ];
  for (const [pem, message] of cases) {
    assert.throws(
      () => verifyCsr(pem),
      (error) => error instanceof CsrError && message.test(error.message),
      `${message}`,
    );
  }
});

test("a request for somebody else's key is refused", async () => {
  const [mine, victims] = [await generateKeyPair(), await generateKeyPair()];
  const pem = createCsr({ privateKey: mine.privateKey, publicKey: victims.publicKey }, id);
  assert.throws(() => verifyCsr(pem), /not signed by the key it is for/);
});

test("a request that is too large, empty, doubled or of another type is refused before it is read", async () => {
  const pem = createCsr(await generateKeyPair(), id);
  const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
    type: "pkcs8",
    format: "pem",
  });
  for (const text of [
    "",
    "x",
    pem + pem,
    `x${pem}`,
    pem.slice(0, -40),
    `${key}`,
    " ".repeat(maxCsrBytes + 1),
  ]) {
    assert.throws(() => verifyCsr(text), CsrError);
  }
});

test("a request with any one byte changed is refused, and no bytes make the reader fail otherwise", async () => {
  const type = "CERTIFICATE REQUEST";
  const limits = { maxBytes: maxCsrBytes, maxBlocks: 1 };
  const [good] = decodePem(createCsr(await generateKeyPair(), id), type, limits) as [Buffer];
  const changed = fc
    .tuple(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }))
    .map(([at, difference]) => {
      const bytes = Buffer.from(good);
      bytes[at] = bytes[at]! ^ difference;
      return bytes;
    });
  const cut = fc.nat(good.length - 1).map((length) => good.subarray(0, length));
  const any = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(changed, cut, any), (bytes) => {
      assert.throws(() => verifyCsr(encodePem(bytes, type)), CsrError);
    }),
    { numRuns: 2_000 },
  );
  fc.assert(fc.property(fc.string(), (text) => assert.throws(() => verifyCsr(text), CsrError)));
});

function openssl(...args: readonly string[]): string {
  return execFileSync("sh", ["-c", 'exec openssl "$@" 2>&1', "openssl", ...args], { encoding: "utf8" });
}

function temporary(t: { after(run: () => void): void }): string {
  const directory = mkdtempSync(join(tmpdir(), "weft-csr-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}
