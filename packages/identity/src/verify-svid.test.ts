import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "@weft/testkit/properties";
import { type BadLeaf, TestCa } from "@weft/testkit/test-ca";
import { parseCertificate } from "./certificate.ts";
import { generateKeyPair } from "./key-pair.ts";
import { issueIntermediate } from "./profiles.ts";
import { parseTrustDomain } from "./spiffe-id.ts";
import { formatTrustBundle, parseTrustBundle, trustBundle } from "./trust-bundle.ts";
import { SvidError, type SvidRefusal, verifySvid } from "./verify-svid.ts";

const nowMs = Date.UTC(2026, 0, 1);
const ca = new TestCa({ nowMs });

test("a good chain says who presents it, with the root in it or without", () => {
  const { chainPem, certificate } = ca.leaf("default", "reviews");
  const id = "spiffe://cluster.local/ns/default/sa/reviews";
  assert.equal(verifySvid(chainPem, ca.bundle, nowMs), id);
  assert.equal(verifySvid(certificate.pem, ca.bundle, nowMs), id);
  assert.equal(verifySvid([certificate.x509.raw], ca.bundle, nowMs), id);
});

test("a chain through an intermediate is verified up to its root", () => {
  const withIntermediate = new TestCa({ nowMs, hasIntermediate: true });
  const { chainPem, certificate } = withIntermediate.leaf();
  assert.equal(
    verifySvid(chainPem, withIntermediate.bundle, nowMs),
    "spiffe://cluster.local/ns/default/sa/productpage",
  );
  assert.equal(
    refusal(() => verifySvid(certificate.pem, withIntermediate.bundle, nowMs)),
    "unknown-root",
  );
});

test("during a rotation a chain to either root is good", () => {
  const next = new TestCa({ nowMs });
  const both = trustBundle(ca.trustDomain, [ca.root, next.root, ca.root]);
  assert.equal(both.roots.length, 2);
  verifySvid(ca.leaf().chainPem, both, nowMs);
  verifySvid(next.leaf().chainPem, both, nowMs);
  assert.deepEqual(parseTrustBundle(ca.trustDomain, formatTrustBundle(both)).roots.length, 2);
});

test("a certificate that must not be accepted is refused with its reason", () => {
  const reasons: Record<BadLeaf, SvidRefusal> = {
    expired: "expired",
    notYetValid: "not-yet-valid",
    wrongTrustDomain: "wrong-trust-domain",
    caFlagged: "ca-flagged",
    mayCertify: "ca-flagged",
    sanLess: "no-uri-san",
    dnsOnly: "no-uri-san",
    twoSans: "several-uri-sans",
    badId: "bad-spiffe-id",
    trustDomainOnly: "bad-spiffe-id",
    clientOnly: "bad-key-usage",
    foreignRoot: "unknown-root",
    forgedSignature: "bad-issuer",
    signedByLeaf: "bad-issuer",
    signedByNonCa: "bad-issuer",
  };
  for (const [kind, { chainPem }] of Object.entries(ca.badLeaves())) {
    assert.equal(
      refusal(() => verifySvid(chainPem, ca.bundle, nowMs)),
      reasons[kind as BadLeaf],
      kind,
    );
  }
});

test("an intermediate signs leaves only, and only of its own trust domain", async () => {
  const top = new TestCa({ nowMs, hasIntermediate: true });
  const life = { notBeforeMs: nowMs - 30_000, notAfterMs: nowMs + 3_600_000 };
  const keys = await generateKeyPair();
  const below = issueIntermediate(top.issuer, keys.publicKey, ca.trustDomain, life);
  const tooDeep = top.leaf("default", "x", { issuer: { certificate: below, privateKey: keys.privateKey } });
  const chain = [tooDeep.certificate, below, top.issuer.certificate, top.root];
  assert.equal(
    refusal(() => verifySvid(chain, top.bundle, nowMs)),
    "bad-issuer",
  );
  const root = { certificate: top.root, privateKey: top.rootKeys.privateKey };
  const foreign = issueIntermediate(root, keys.publicKey, parseTrustDomain("other.example"), life);
  const leaf = top.leaf("default", "x", { issuer: { certificate: foreign, privateKey: keys.privateKey } });
  assert.equal(
    refusal(() => verifySvid([leaf.certificate, foreign], top.bundle, nowMs)),
    "wrong-trust-domain",
  );
});

test("a chain is good until the last second of each of its certificates", () => {
  const { chainPem, certificate } = ca.leaf();
  verifySvid(chainPem, ca.bundle, certificate.facts.notAfterMs);
  assert.equal(
    refusal(() => verifySvid(chainPem, ca.bundle, certificate.facts.notAfterMs + 1)),
    "expired",
  );
  verifySvid(chainPem, ca.bundle, certificate.facts.notBeforeMs);
  assert.equal(
    refusal(() => verifySvid(chainPem, ca.bundle, certificate.facts.notBeforeMs - 1)),
    "not-yet-valid",
  );
});

test("the root itself, an empty chain and a chain that is too long are no identity", () => {
  assert.equal(
    refusal(() => verifySvid(ca.root.pem, ca.bundle, nowMs)),
    "ca-flagged",
  );
  assert.equal(
    refusal(() => verifySvid("", ca.bundle, nowMs)),
    "malformed",
  );
  assert.equal(
    refusal(() => verifySvid([], ca.bundle, nowMs)),
    "malformed",
  );
  assert.equal(
    refusal(() => verifySvid(ca.root.pem.repeat(9), ca.bundle, nowMs)),
    "malformed",
  );
});

test("a certificate with any one byte changed is refused, and reading it throws nothing unexpected", () => {
  const { certificate } = ca.leaf();
  const good = certificate.x509.raw;
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, difference) => {
      const changed = Buffer.from(good);
      changed[at] = changed[at]! ^ difference;
      assert.throws(() => verifySvid([changed], ca.bundle, nowMs), SvidError);
    }),
    { numRuns: 1_500 },
  );
});

test("any bytes are either a certificate or an error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.throws(() => parseCertificate(Buffer.from(bytes)), Error);
    }),
  );
});

function refusal(run: () => unknown): SvidRefusal | "accepted" {
  try {
    run();
    return "accepted";
  } catch (error) {
    if (error instanceof SvidError) return error.reason;
    throw error;
  }
}
