import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseCertificates } from "@weft/identity/certificate";
import { createCsr } from "@weft/identity/csr";
import { generateKeyPair } from "@weft/identity/key-pair";
import { issueLeaf } from "@weft/identity/profiles";
import { parseSpiffeId, parseTrustDomain } from "@weft/identity/spiffe-id";
import { SvidError } from "@weft/identity/verify-svid";
import { FakeClock } from "@weft/testkit/fake-clock";
import { openStore } from "../store/open-store.ts";
import { openCertificateAuthority } from "./certificate-authority.ts";
import { readIssuer } from "./open-trust.ts";

const trustDomain = parseTrustDomain("cluster.local");
const reviews = parseSpiffeId("spiffe://cluster.local/ns/default/sa/reviews");
const log = { info() {}, warn() {}, error() {} };
const csrPem = createCsr(await generateKeyPair(), reviews);
const minuteMs = 60_000;
const dayMs = 86_400_000;

async function setUp(t: TestContext, renewExpiredMs?: number) {
  const directory = mkdtempSync(join(tmpdir(), "weft-expired-"));
  const clock = new FakeClock();
  const store = openStore({ directory, trustDomain, clock });
  const certificateTtlMs = 10 * minuteMs;
  const ca = await openCertificateAuthority({
    store,
    trustDomain,
    clock,
    log,
    certificateTtlMs,
    renewExpiredMs,
  });
  t.after(() => {
    store.close();
    rmSync(directory, { recursive: true });
  });
  const { token } = ca.createToken({ namespace: "default", serviceAccount: "reviews" });
  const answer = await ca.createCertificate({ csrPem, auth: { token }, address: "10.0.0.1" });
  assert.ok(answer.isIssued);
  return { ca, clock, store, chain: answer.chainPem.join(""), serial: answer.serial };
}

function refusedAs(reason: SvidError["reason"]) {
  return (error: unknown) => error instanceof SvidError && error.reason === reason;
}

test("a certificate that has expired is good for its renewal, and for nothing else", async (t) => {
  const { ca, clock, chain, serial } = await setUp(t);
  assert.deepEqual(ca.identifyPeer(chain), { spiffeId: reviews, serial });
  await clock.advance(3 * dayMs);
  const { expiry, ...who } = ca.identifyPeer(chain);
  assert.deepEqual(who, { spiffeId: reviews, serial });
  assert.match(expiry ?? "", /expired at/);
  assert.throws(() => ca.verifyPeer(chain), refusedAs("expired"));
  const next = await ca.createCertificate({ csrPem, auth: { peer: reviews, serial }, address: "10.0.0.1" });
  assert.ok(next.isIssued);
  assert.equal(ca.verifyPeer(next.chainPem.join("")), reviews);
});

test("not for longer than was said, and not at all where nothing was to be", async (t) => {
  const month = await setUp(t);
  await month.clock.advance(10 * minuteMs + 30 * dayMs + 1_000);
  assert.throws(() => month.ca.identifyPeer(month.chain), refusedAs("expired"));
  const never = await setUp(t, 0);
  await never.clock.advance(10 * minuteMs + 1_000);
  assert.throws(() => never.ca.identifyPeer(never.chain), refusedAs("expired"));
});

test("not where it was revoked, before or after it expired", async (t) => {
  for (const request of [{ identity: reviews }, "serial"] as const) {
    for (const isBefore of [true, false]) {
      const { ca, clock, chain, serial } = await setUp(t);
      if (!isBefore) await clock.advance(dayMs);
      ca.revocations.revoke(request === "serial" ? { serial } : request);
      await clock.advance(2 * dayMs);
      assert.throws(() => ca.identifyPeer(chain), refusedAs("revoked"));
      assert.equal(ca.revocations.list.length, 1, "listed for as long as it matters");
      await clock.advance(30 * dayMs);
      assert.equal(ca.revocations.list.length, 0);
      assert.throws(() => ca.identifyPeer(chain), refusedAs("expired"));
    }
  }
});

test("not where the log does not have it: whoever took the root's key cannot make old ones", async (t) => {
  const { ca, clock, store, chain } = await setUp(t);
  const nowMs = clock.now();
  const forged = issueLeaf(readIssuer(store.roots.list()[0]!, nowMs), {
    spiffeId: reviews,
    spki: parseCertificates(chain)[0]!.facts.spki,
    notBeforeMs: nowMs - minuteMs,
    notAfterMs: nowMs + minuteMs,
  }).pem;
  assert.equal(ca.identifyPeer(forged).expiry, undefined, "while it is valid there is no telling");
  await clock.advance(2 * minuteMs);
  assert.throws(() => ca.identifyPeer(forged), refusedAs("expired"));
});
