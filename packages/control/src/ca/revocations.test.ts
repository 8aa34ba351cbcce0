import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { UserError } from "@weft/base/errors";
import { createCsr } from "@weft/identity/csr";
import { generateKeyPair } from "@weft/identity/key-pair";
import { parseSpiffeId, parseTrustDomain } from "@weft/identity/spiffe-id";
import { SvidError } from "@weft/identity/verify-svid";
import { FakeClock } from "@weft/testkit/fake-clock";
import { openStore } from "../store/open-store.ts";
import { openCertificateAuthority } from "./certificate-authority.ts";
import type { Caller } from "./certificate-request.ts";

const trustDomain = parseTrustDomain("cluster.local");
const reviews = parseSpiffeId("spiffe://cluster.local/ns/default/sa/reviews");
const log = { info() {}, warn() {}, error() {} };
const csrPem = createCsr(await generateKeyPair(), reviews);
const minuteMs = 60_000;

async function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "weft-revoke-"));
  const clock = new FakeClock();
  const open = async () => {
    const store = openStore({ directory, trustDomain, clock });
    const options = { store, trustDomain, clock, log, certificateTtlMs: 10 * minuteMs, renewExpiredMs: 0 };
    return { store, ca: await openCertificateAuthority(options) };
  };
  let opened = await open();
  t.after(() => {
    opened.store.close();
    rmSync(directory, { recursive: true });
  });
  const ask = async (auth: Caller) => {
    const answer = await opened.ca.createCertificate({ csrPem, auth, address: "10.0.0.1" });
    assert.ok(answer.isIssued, answer.isIssued ? "" : answer.message);
    return { chain: answer.chainPem.join(""), serial: answer.serial };
  };
  return {
    clock,
    get ca() {
      return opened.ca;
    },
    get store() {
      return opened.store;
    },
    async restart() {
      opened.store.close();
      opened = await open();
    },
    issue: () => ask({ peer: reviews }),
    join: (token: string) => ask({ token }),
    token: () => opened.ca.createToken({ namespace: "default", serviceAccount: "reviews" }).token,
    isBelieved(chain: string): boolean {
      try {
        return opened.ca.verifyPeer(chain) === reviews;
      } catch (error) {
        assert.ok(error instanceof SvidError && error.reason === "revoked", String(error));
        return false;
      }
    },
  };
}

test("a revoked certificate is not believed, in any form of its number, and others of its identity are", async (t) => {
  const mesh = await setUp(t);
  const [stolen, other] = [await mesh.issue(), await mesh.issue()];
  const dropped: string[] = [];
  mesh.ca.revocations.onRevoked((identity) => dropped.push(identity));
  const asOpensslPrints = stolen.serial.replace(/^00/, "").toUpperCase().match(/../g)!.join(":");
  mesh.ca.revocations.revoke({ serial: asOpensslPrints });
  assert.equal(mesh.isBelieved(stolen.chain), false);
  assert.equal(mesh.isBelieved(other.chain), true);
  assert.deepEqual(dropped, [reviews], "its connections are to prove anew who they are");
  await mesh.restart();
  assert.equal(mesh.isBelieved(stolen.chain), false, "after a restart too");
  const [entry] = mesh.store.audit.recent(1);
  assert.deepEqual(
    [entry?.event, entry?.subject, entry?.serial],
    ["certificate revoked", reviews, stolen.serial],
  );
});

test("a revocation is kept until the last certificate that it is about has expired", async (t) => {
  const mesh = await setUp(t);
  const { serial } = await mesh.issue();
  mesh.ca.revocations.revoke({ serial });
  await mesh.clock.advance(10 * minuteMs);
  assert.equal(mesh.ca.caStatus().revocations.length, 1);
  await mesh.clock.advance(1);
  assert.deepEqual(mesh.ca.caStatus().revocations, []);
  await mesh.issue();
  mesh.ca.revocations.revoke({ identity: reviews });
  assert.equal(mesh.store.revocations.list(0).length, 1, "what is over is forgotten");
});

test("a revoked identity loses its certificates and unused tokens; a token made later lets it in again", async (t) => {
  const mesh = await setUp(t);
  const [before, token] = [await mesh.issue(), mesh.token()];
  await mesh.clock.advance(minuteMs);
  mesh.ca.revocations.revoke({ identity: reviews });
  assert.equal(mesh.isBelieved(before.chain), false);
  const refused = await mesh.ca.createCertificate({ csrPem, auth: { token }, address: "10.0.0.1" });
  assert.ok(!refused.isIssued && refused.code === "unauthenticated");
  await mesh.clock.advance(minuteMs);
  const after = await mesh.join(mesh.token());
  assert.equal(mesh.isBelieved(after.chain), true);
  assert.equal(mesh.isBelieved(before.chain), false);
});

test("what cannot be revoked is refused with what to do", async (t) => {
  const mesh = await setUp(t);
  const { serial } = await mesh.issue();
  await mesh.clock.advance(10 * minuteMs);
  const cases = [
    [{ serial: "12ab" }, /no certificate with the serial number 12ab/],
    [{ serial }, /no certificate with the serial/],
    [{ serial: "hello" }, /not a serial number/],
    [{ identity: "reviews" }, /not a SPIFFE ID/],
    [{ identity: reviews }, /no certificate that is valid, and no join token/],
  ] as const;
  for (const [request, message] of cases) {
    assert.throws(
      () => mesh.ca.revocations.revoke(request),
      (error) => error instanceof UserError && message.test(error.message) && error.hint !== undefined,
    );
  }
});
