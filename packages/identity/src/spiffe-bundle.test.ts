import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { TestCa } from "@weft/testkit/test-ca";
import { jwtKeyId, publicJwk } from "./jwt-svid.ts";
import {
  formatBundleMap,
  formatSpiffeBundle,
  parseBundleMap,
  parseSpiffeBundle,
  type SpiffeBundle,
} from "./spiffe-bundle.ts";
import { parseTrustDomain } from "./spiffe-id.ts";

const authority = new TestCa({ trustDomain: "west.example" });
const { trustDomain } = authority;
const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const jwtKey = publicJwk({ id: jwtKeyId(privateKey), privateKey });
const bundle: SpiffeBundle = {
  trustDomain,
  roots: [authority.root],
  jwtKeys: [jwtKey],
  sequence: 18_446_744_073_709_551_615n,
  refreshHintS: 300,
};
const x509 = { use: "x509-svid", kty: "EC", x5c: [authority.root.x509.raw.toString("base64")] };
const read = (document: object) => parseSpiffeBundle(trustDomain, JSON.stringify(document));

describe("a SPIFFE bundle", () => {
  it("is read as it was written, with a sequence number of 64 bits", () => {
    const again = parseSpiffeBundle(trustDomain, formatSpiffeBundle(bundle));
    assert.equal(again.roots[0]!.pem, authority.root.pem);
    assert.deepEqual({ ...again, roots: [] }, { ...bundle, roots: [] });
    assert.equal(formatSpiffeBundle(again), formatSpiffeBundle(bundle));
    assert.match(formatSpiffeBundle(bundle), /"spiffe_sequence":18446744073709551615,/);
  });

  it("may say nothing but its keys, and leaves out what is not known", () => {
    const { roots, jwtKeys, sequence, refreshHintS } = read({
      keys: [x509, x509, { kty: "EC", use: "sig" }, { kty: "OKP", use: "jwt-svid", kid: "a" }],
      more: true,
    });
    assert.deepEqual([roots.length, jwtKeys.length, sequence, refreshHintS], [1, 0, undefined, undefined]);
    assert.deepEqual(read({ keys: [] }).roots, []);
  });

  it("never holds a private key, whatever its publisher wrote", () => {
    const whole = { ...privateKey.export({ format: "jwk" }), use: "jwt-svid", kid: "a" };
    assert.doesNotMatch(formatSpiffeBundle(read({ keys: [whole] })), /"d":/);
  });

  const other = new TestCa({ trustDomain: "east.example" });
  const leaf = authority.leaf().certificate.x509.raw.toString("base64");
  const short = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" });
  const refused: readonly [what: string, document: unknown, why: RegExp][] = [
    ["is not JSON", "{", /not JSON/],
    ["is a list", [], /no bundle/],
    ["has no keys", {}, /no list of keys/],
    ["has a key without use", { keys: [{ kty: "EC" }] }, /keys\[0\] does not say/],
    [
      "has a root without certificate",
      { keys: [{ kty: "EC", use: "x509-svid" }] },
      /exactly one certificate/,
    ],
    [
      "has a root of two certificates",
      { keys: [{ ...x509, x5c: [...x509.x5c, ...x509.x5c] }] },
      /exactly one/,
    ],
    ["has a root that is no certificate", { keys: [{ ...x509, x5c: ["AAAA"] }] }, /holds no certificate/],
    ["has a leaf for a root", { keys: [{ ...x509, x5c: [leaf] }] }, /no certificate authority/],
    [
      "has a root of another trust domain",
      { keys: [{ ...x509, x5c: [other.root.x509.raw.toString("base64")] }] },
      /is named "spiffe:\/\/east\.example"/,
    ],
    ["has a key of tokens without kid", { keys: [{ ...jwtKey, kid: "", use: "jwt-svid" }] }, /has no kid/],
    ["has a weak key of tokens", { keys: [{ ...short, kid: "a", use: "jwt-svid" }] }, /1024 bits/],
    [
      "has a key of tokens that is none",
      { keys: [{ kty: "EC", kid: "a", use: "jwt-svid" }] },
      /not a valid key/,
    ],
    ["has a fraction for its sequence", { keys: [], spiffe_sequence: 1.5 }, /spiffe_sequence is not/],
    ["counts backwards", { keys: [], spiffe_sequence: -1 }, /spiffe_sequence is not/],
    ["counts further than 64 bits", `{"keys":[],"spiffe_sequence":18446744073709551616}`, /64 bits/],
    ["hints at no time", { keys: [], spiffe_refresh_hint: "soon" }, /spiffe_refresh_hint/],
    ["has too many roots", { keys: manyRoots() }, /more than 16 roots/],
    ["is too large", { keys: [], more: "x".repeat(1 << 20) }, /more than 1048576 bytes/],
  ];
  for (const [what, document, why] of refused) {
    it(`is none when it ${what}`, () => {
      const text = typeof document === "string" ? document : JSON.stringify(document);
      assert.throws(() => parseSpiffeBundle(trustDomain, text), { name: "SpiffeBundleError", message: why });
    });
  }
});

describe("a map of bundles", () => {
  it("keeps each bundle with its own trust domain, in order", () => {
    const east = new TestCa({ trustDomain: "east.example" });
    const eastern = { ...bundle, trustDomain: east.trustDomain, roots: [east.root] };
    const aliases = [parseTrustDomain("old.example")];
    const text = formatBundleMap({ bundles: [bundle, eastern], aliases });
    assert.equal(text, formatBundleMap({ bundles: [eastern, bundle], aliases }));
    assert.deepEqual(parseBundleMap(text).aliases, aliases);
    assert.deepEqual(
      parseBundleMap(text).bundles.map((one) => [one.trustDomain, one.roots[0]!.pem === east.root.pem]),
      [
        ["east.example", true],
        ["west.example", false],
      ],
    );
  });

  it("is refused as a whole where one of its bundles is none", () => {
    const text = '{"trust_domains":{"west.example":{"keys":[]},"East":{"keys":[]}}}';
    assert.throws(() => parseBundleMap(text), /East: .*lower-case/);
  });
});

function manyRoots(): object[] {
  return Array.from({ length: 17 }, () => {
    const { root } = new TestCa({ trustDomain });
    return { ...x509, x5c: [root.x509.raw.toString("base64")] };
  });
}
