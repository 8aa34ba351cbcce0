import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshError } from "@weft/base/errors";
import { createCsr } from "@weft/identity/csr";
import { generateKeyPair } from "@weft/identity/key-pair";
import { parseSpiffeId } from "@weft/identity/spiffe-id";
import { FakeClock } from "@weft/testkit/fake-clock";
import { TestCa } from "@weft/testkit/test-ca";
import type { AuditEntry } from "../store/audit-entry.ts";
import { CertificateAuthority } from "./certificate-authority.ts";
import { localSigner, type Signer } from "./signer.ts";
import { TrustState } from "./trust-state.ts";

const clock = new FakeClock();
const testCa = new TestCa({ nowMs: clock.now(), hasIntermediate: true });
const reviews = parseSpiffeId("spiffe://cluster.local/ns/default/sa/reviews");
const keys = await generateKeyPair();
const request = { csrPem: createCsr(keys, reviews), auth: { peer: reviews }, address: "10.0.0.1" };

function authority(signer: Signer) {
  const recorded: AuditEntry[] = [];
  const audit = {
    append: (entry: AuditEntry) => void recorded.push(entry),
    recordIssuance: async (entry: AuditEntry) => void recorded.push(entry),
    issuedTo: () => [],
    wasIssued: () => true,
    issuance: () => undefined,
    find: () => [],
    verify: async () => ({ isIntact: true, entries: 0, unchained: 0 }),
    recent: () => recorded,
    countIssued: () => ({ total: recorded.length, active: recorded.length }),
  };
  const log = { info() {}, warn() {}, error() {} };
  const root = {
    certificatePem: testCa.root.pem,
    privateKeyPem: "",
    state: "issuing",
    createdAtMs: 0,
    crossPem: "",
  } as const;
  const roots = {
    list: () => [root],
    change() {},
    rotation: () => undefined,
    intermediates: () => [],
    addIntermediate: () => {},
  };
  const rate = { perSecond: 100, burst: 100 };
  const ca = new CertificateAuthority({
    store: { audit, tokens: {} as never, revocations: { list: () => [], add() {} } },
    trustDomain: testCa.trustDomain,
    clock,
    log,
    random: () => 0.5,
    issuanceRate: rate,
    failureRate: rate,
    renewExpiredMs: 0,
    serviceAccounts: undefined,
    policy: { ttlMs: 3_600_000 },
    trust: new TrustState({ trustDomain: testCa.trustDomain, store: roots, signer }),
  });
  return { ca, recorded };
}

test("a signer below the root serves the whole chain", async () => {
  const { ca } = authority(localSigner(testCa.issuer, [testCa.root]));
  const answer = await ca.createCertificate(request);
  assert.ok(answer.isIssued);
  assert.equal(answer.chainPem.length, 3);
  assert.equal(ca.verifyPeer(answer.chainPem.join("")), reviews);
});

test("what a signer got wrong is never given away nor recorded", async () => {
  const leaf = (options: Parameters<TestCa["leaf"]>[2]) => [
    testCa.leaf("default", "reviews", { keys, ...options }).certificate,
    testCa.issuer.certificate,
  ];
  const wrong: Record<string, Signer["sign"]> = {
    "another identity": async () => leaf({ uris: ["spiffe://cluster.local/ns/default/sa/admin"] }),
    "another key": async () => leaf({ keys: undefined }),
    "a certificate authority": async () => leaf({ isCa: true }),
    "too long a life": async () => leaf({ notAfterMs: clock.now() + 86_400_000 }),
    "an expired one": async () => leaf({ notAfterMs: clock.now() - 1_000 }),
    "a foreign root": async () => [
      new TestCa({ nowMs: clock.now() }).leaf("default", "reviews", { keys }).certificate,
    ],
    nothing: async () => [],
    "a failure": () => Promise.reject(new Error("connection refused")),
  };
  for (const [name, sign] of Object.entries(wrong)) {
    const { ca, recorded } = authority({ sign });
    await assert.rejects(
      ca.createCertificate(request),
      (error) =>
        error instanceof MeshError && error.isRetrySafe && /was not signed as it must be/.test(error.message),
      name,
    );
    assert.deepEqual(recorded, [], name);
  }
});

test("the control plane keeps its certificate while its signer fails, and replaces it when it is back", async () => {
  let isDown = false;
  const good = localSigner(testCa.issuer, [testCa.root]);
  const { ca } = authority({ sign: (one) => (isDown ? Promise.reject(new Error("down")) : good.sign(one)) });
  const serving = await ca.openServingCertificate();
  const first = serving.current;
  isDown = true;
  await serving.renew();
  assert.equal(serving.current, first);
  isDown = false;
  const changed = new Promise((resolve) => serving.onChange(resolve));
  await clock.advance(1_000);
  await changed;
  assert.notEqual(serving.current, first);
  serving.close();
  assert.equal(clock.pendingTimers, 0);
});
