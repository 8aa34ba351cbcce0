import assert from "node:assert/strict";
import { test } from "node:test";
import { TestCa, type TestLeafOptions } from "@weft/testkit/test-ca";
import { buildName } from "./build-certificate.ts";
import { checkIssuer, IssuerError, type IssuerParts } from "./check-issuer.ts";
import type { KeyPair } from "./key-pair.ts";
import { keyUsages, oids } from "./oids.ts";
import type { Issuer } from "./profiles.ts";

const ca = new TestCa();
const nowMs = Date.now();
const day = 86_400_000;
const foreign = new TestCa();

/** An authority that `below` signed, good but for `options`. */
function authority(below: Issuer, name: string, options: TestLeafOptions = {}) {
  const { certificate, keys } = ca.leaf("", "", {
    issuer: below,
    uris: [],
    subjectName: buildName("Example", name),
    isCa: true,
    keyUsage: keyUsages.keyCertSign,
    extendedKeyUsages: undefined,
    notAfterMs: nowMs + day,
    ...options,
  });
  return { certificate, keys, issuer: { certificate, privateKey: keys.privateKey } };
}

const upper = authority(ca.issuer, "upper");
const lower = authority(upper.issuer, "lower");
const good: IssuerParts = {
  certificate: lower.certificate,
  keys: lower.keys,
  chain: [upper.certificate],
  roots: [ca.root],
};

function parts(of: ReturnType<typeof authority>, changes: Partial<IssuerParts> = {}): IssuerParts {
  return { ...good, certificate: of.certificate, keys: of.keys, ...changes };
}

test("an issuer with its way to the root is good in any order, with or without itself and the root in the chain", () => {
  for (const chain of [
    [upper.certificate],
    [lower.certificate, upper.certificate],
    [ca.root, upper.certificate, lower.certificate],
  ]) {
    const found = checkIssuer({ ...good, chain }, ca.trustDomain, nowMs);
    assert.deepEqual(found.above, [upper.certificate]);
    assert.equal(found.root, ca.root);
  }
});

test("a root may issue itself, and the mesh may trust more roots than its own", () => {
  const own = { certificate: ca.root, keys: ca.rootKeys, chain: [], roots: [foreign.root, ca.root] };
  const { above, root } = checkIssuer(own, ca.trustDomain, nowMs);
  assert.deepEqual([above, root], [[], ca.root]);
});

const otherKeys: KeyPair = ca.leaf().keys;
const limited = authority(ca.issuer, "limited", { pathLength: 0 });
const refusals: Record<string, [IssuerParts, keyof IssuerParts, RegExp]> = {
  "the key of another certificate": [
    parts(lower, { keys: otherKeys }),
    "keys",
    /not that of the certificate/,
  ],
  "a leaf": [
    parts(authority(upper.issuer, "leaf", { isCa: false })),
    "certificate",
    /"O=Example, CN=leaf" is not a certificate authority/,
  ],
  "an authority that may not sign certificates": [
    parts(authority(upper.issuer, "x", { keyUsage: keyUsages.digitalSignature })),
    "certificate",
    /keyCertSign/,
  ],
  "an expired one": [
    parts(authority(upper.issuer, "x", { notAfterMs: nowMs - 1_000 })),
    "certificate",
    /expired at/,
  ],
  "one that is not valid yet": [
    parts(authority(upper.issuer, "x", { notBeforeMs: nowMs + 60_000 })),
    "certificate",
    /valid only from/,
  ],
  "one for web servers only": [
    parts(authority(upper.issuer, "x", { extendedKeyUsages: [oids.serverAuth] })),
    "certificate",
    /other purposes/,
  ],
  "one of another trust domain": [
    parts(authority(upper.issuer, "x", { uris: ["spiffe://other.example"] })),
    "certificate",
    /named spiffe:\/\/other\.example; an authority here/,
  ],
  "one below a path length of 0": [
    parts(authority(limited.issuer, "x"), { chain: [limited.certificate] }),
    "chain",
    /path length of "O=Example, CN=limited" is 0/,
  ],
  "a chain that lacks a link": [{ ...good, chain: [] }, "chain", /does not reach a root.*CN=upper/],
  "a root of somebody else": [{ ...good, roots: [foreign.root] }, "chain", /does not reach a root/],
  "a certificate that leads nowhere": [
    { ...good, chain: [upper.certificate, limited.certificate] },
    "chain",
    /CN=limited" is not on the way/,
  ],
  "an intermediate in the place of a root": [{ ...good, roots: [upper.certificate] }, "roots", /self-signed/],
};
for (const [name, [given, part, message]] of Object.entries(refusals)) {
  test(`${name} is refused, and the part at fault is named`, () => {
    assert.throws(
      () => checkIssuer(given, ca.trustDomain, nowMs),
      (error) => {
        assert.ok(error instanceof IssuerError, String(error));
        assert.equal(error.part, part);
        assert.match(error.message, message);
        return true;
      },
    );
  });
}
