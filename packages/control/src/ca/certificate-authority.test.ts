import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { UserError } from "@weft/base/errors";
import { parseCertificates, spkiPin } from "@weft/identity/certificate";
import { createCsr } from "@weft/identity/csr";
import { parseJoinToken } from "@weft/identity/join-token";
import { generateKeyPair, type KeyPair } from "@weft/identity/key-pair";
import { renewAfterMs } from "@weft/identity/renewal";
import { parseSpiffeId, parseTrustDomain } from "@weft/identity/spiffe-id";
import { verifyPinnedChain } from "@weft/identity/verify-pinned-chain";
import { FakeClock } from "@weft/testkit/fake-clock";
import { TestCa } from "@weft/testkit/test-ca";
import { openStore } from "../store/open-store.ts";
import { type CertificateAuthorityOptions, openCertificateAuthority } from "./certificate-authority.ts";
import type { Caller, CertificateAnswer, IssuedCertificate, RefusalCode } from "./certificate-request.ts";

const trustDomain = parseTrustDomain("cluster.local");
const reviews = parseSpiffeId("spiffe://cluster.local/ns/default/sa/reviews");
const ratings = parseSpiffeId("spiffe://cluster.local/ns/default/sa/ratings");
const address = "10.0.0.1";
const keys: KeyPair = await generateKeyPair();
const csrPem = createCsr(keys, reviews);

async function setUp(t: TestContext, options: Partial<CertificateAuthorityOptions> = {}) {
  const directory = mkdtempSync(join(tmpdir(), "weft-ca-"));
  const clock = new FakeClock();
  const lines: string[] = [];
  const log = (_fields: object, message: string) => void lines.push(message);
  const open = async () => {
    const store = openStore({ directory, trustDomain, clock });
    const ca = await openCertificateAuthority({
      store,
      trustDomain,
      clock,
      log: { info: log, warn: log, error: log },
      ...options,
    });
    return { store, ca };
  };
  let opened = await open();
  t.after(() => {
    opened.store.close();
    rmSync(directory, { recursive: true });
  });
  return {
    clock,
    lines,
    directory,
    get ca() {
      return opened.ca;
    },
    get roots() {
      return opened.store.roots;
    },
    get audit() {
      return opened.store.audit;
    },
    async restart() {
      opened.store.close();
      opened = await open();
    },
    ask: (auth: Caller | undefined, pem = csrPem, validitySeconds?: number) =>
      opened.ca.createCertificate({ csrPem: pem, auth, address, validitySeconds }),
    token: (serviceAccount = "reviews", ttlSeconds?: number) =>
      opened.ca.createToken({ namespace: "default", serviceAccount, ttlSeconds }).token,
  };
}

function issued(answer: CertificateAnswer): IssuedCertificate {
  assert.ok(answer.isIssued, answer.isIssued ? "" : `${answer.code}: ${answer.message}`);
  return answer;
}

function refused(answer: CertificateAnswer, code: RefusalCode, message: RegExp): void {
  assert.ok(!answer.isIssued, "it was issued");
  assert.equal(answer.code, code);
  assert.match(answer.message, message);
}

test("a join token brings a certificate that openssl finds good, and the log has it", async (t) => {
  const mesh = await setUp(t);
  const answer = issued(await mesh.ask({ token: mesh.token() }));
  assert.equal(answer.spiffeId, reviews);
  assert.equal(mesh.ca.verifyPeer(answer.chainPem.join("")), reviews);
  const file = (name: string, text: string) => {
    writeFileSync(join(mesh.directory, name), text);
    return join(mesh.directory, name);
  };
  const [leaf, root] = [file("leaf", answer.chainPem[0]!), file("root", answer.chainPem.at(-1)!)];
  const at = `${Math.round(mesh.clock.now() / 1000)}`;
  const verified = execFileSync("openssl", ["verify", "-x509_strict", "-attime", at, "-CAfile", root, leaf], {
    encoding: "utf8",
  });
  assert.match(verified, /leaf: OK/);
  const key = execFileSync("openssl", ["x509", "-in", leaf, "-noout", "-pubkey"], { encoding: "utf8" });
  assert.equal(key, keys.publicKey.export({ type: "spki", format: "pem" }));

  const [entry] = mesh.audit.recent(1);
  assert.equal(entry?.event, "certificate issued");
  assert.equal(entry?.subject, reviews);
  assert.match(entry?.authorizedBy ?? "", /^token [0-9a-f]{16}$/);
  assert.equal(entry?.address, address);
  assert.equal(entry?.serial, answer.serial);
  assert.equal(entry?.expiresAtMs, answer.notAfterMs);
});

test("a workload renews with its certificate, for its own identity only", async (t) => {
  const mesh = await setUp(t);
  issued(await mesh.ask({ peer: reviews }));
  refused(
    await mesh.ask({ peer: ratings }),
    "permission-denied",
    /for .*\/sa\/reviews, but the certificate is for .*\/sa\/ratings/,
  );
  const foreign = parseSpiffeId("spiffe://evil.example/ns/default/sa/reviews");
  refused(
    await mesh.ask({ peer: foreign }, createCsr(keys, foreign)),
    "permission-denied",
    /not a workload of cluster\.local/,
  );
});

test("nobody gets the identity of the control plane, by token or by certificate", async (t) => {
  const mesh = await setUp(t);
  const own = parseSpiffeId("spiffe://cluster.local/ns/weft-system/sa/weft-control-plane");
  refused(await mesh.ask({ peer: own }, createCsr(keys, own)), "permission-denied", /not a workload/);
  assert.throws(
    () => mesh.ca.createToken({ namespace: "weft-system", serviceAccount: "weft-control-plane" }),
    (error) => error instanceof UserError && /mesh's own/.test(error.message),
  );
});

test("tokens that do not work get one answer, and the operator's log says which fault it was", async (t) => {
  const mesh = await setUp(t);
  const used = mesh.token();
  issued(await mesh.ask({ token: used }));
  const expired = mesh.token("reviews", 60);
  const revoked = mesh.token();
  mesh.ca.revokeToken(parseJoinToken(revoked).id);
  await mesh.clock.advance(60_000);
  const fresh = mesh.token();
  const guessed = fresh.replace(parseJoinToken(fresh).secret, "A".repeat(43));
  const unknown = fresh.replace(parseJoinToken(fresh).id, "0".repeat(16));
  const otherKey = createCsr(await generateKeyPair(), reviews);
  const cases = [
    [used, /already used/],
    [expired, /expired/],
    [revoked, /revoked/],
    [guessed, /wrong secret/],
    [unknown, /unknown/],
    ["weft-join-v1.x", /malformed/],
  ] as const;
  const answers = new Set<string>();
  for (const [token, fault] of cases) {
    const answer = await mesh.ask({ token }, otherKey);
    refused(answer, "unauthenticated", /not known, has expired or was used already/);
    if (!answer.isIssued) answers.add(answer.message);
    assert.ok(
      mesh.lines.some((line) => /join token .* refused/.test(line) && fault.test(line)),
      `${fault}`,
    );
  }
  assert.equal(answers.size, 1, "a guesser learns nothing from the answer");
  assert.ok(!mesh.lines.join().includes(parseJoinToken(fresh).secret), "no secret in the log");
  issued(await mesh.ask({ token: fresh }, otherKey));
});

test("a bad request leaves its token usable", async (t) => {
  const mesh = await setUp(t);
  const token = mesh.token();
  refused(await mesh.ask({ token }, "no csr"), "invalid-argument", /malformed/);
  refused(await mesh.ask({ token }, csrPem, -1), "invalid-argument", /number of seconds/);
  refused(await mesh.ask({ token }, csrPem, 1.5), "invalid-argument", /number of seconds/);
  refused(
    await mesh.ask({ token }, createCsr(keys, ratings)),
    "permission-denied",
    /the join token is for .*reviews/,
  );
  const otherDomain = parseSpiffeId("spiffe://other.example/ns/default/sa/reviews");
  refused(
    await mesh.ask({ token }, createCsr(keys, otherDomain)),
    "permission-denied",
    /check the trust domain/,
  );
  issued(await mesh.ask({ token }));
});

test("a caller that shows nothing is refused before its request is read", async (t) => {
  const mesh = await setUp(t);
  refused(await mesh.ask(undefined, "no csr"), "unauthenticated", /weft token create/);
});

test("a token presented by many at once certifies one key", async (t) => {
  const mesh = await setUp(t);
  const token = mesh.token();
  const requests = await Promise.all(
    Array.from({ length: 8 }, async () => createCsr(await generateKeyPair(), reviews)),
  );
  const answers = await Promise.all(requests.map((pem) => mesh.ask({ token }, pem)));
  assert.equal(answers.filter((answer) => answer.isIssued).length, 1);
  assert.equal(mesh.audit.countIssued(mesh.clock.now()).total, 1);
});

test("how long a certificate lives is what was asked for, within what the operator set", async (t) => {
  const mesh = await setUp(t, { certificateTtlMs: 600_000 });
  for (const [asked, seconds] of [
    [undefined, 600],
    [0, 600],
    [120, 120],
    [1, 60],
    [86_400, 600],
  ] as const) {
    const { notBeforeMs, notAfterMs } = issued(await mesh.ask({ peer: reviews }, csrPem, asked));
    assert.equal((notAfterMs - mesh.clock.now()) / 1000, seconds, `${asked}`);
    assert.equal((mesh.clock.now() - notBeforeMs) / 1000, 30, "peers whose clocks are behind accept it");
  }
  const short = await setUp(t, { certificateTtlMs: 20_000 });
  const answer = issued(await short.ask({ peer: reviews }));
  assert.ok(renewAfterMs(answer, short.clock.now(), () => 0) > 1_000, "not due as soon as it is issued");
  const openWith = (certificateTtlMs: number) => setUp(t, { certificateTtlMs });
  for (const ttlMs of [0, 19_999, Number.NaN, 91 * 86_400_000]) {
    await assert.rejects(
      openWith(ttlMs),
      (error) => error instanceof UserError && /--certificate-ttl/.test(error.message),
    );
  }
});

test("guessing tokens is stopped by address, and starts again after a while", async (t) => {
  const mesh = await setUp(t, { failureRate: { perSecond: 1, burst: 3 } });
  const good = mesh.token();
  const bad = good.replace(parseJoinToken(good).secret, "A".repeat(43));
  for (let i = 0; i < 3; i++) refused(await mesh.ask({ token: bad }), "unauthenticated", /was used already/);
  refused(await mesh.ask({ token: bad }), "resource-exhausted", /try again in 1 s/);
  refused(await mesh.ask({ token: good }), "resource-exhausted", /try again in 1 s/);
  issued(await mesh.ca.createCertificate({ csrPem, auth: { peer: reviews }, address }));
  issued(await mesh.ca.createCertificate({ csrPem, auth: { token: mesh.token() }, address: "10.0.0.2" }));
  await mesh.clock.advance(1_000);
  issued(await mesh.ask({ token: good }));
});

test("one workload cannot keep the authority busy", async (t) => {
  const mesh = await setUp(t, { issuanceRate: { perSecond: 1, burst: 2 } });
  issued(await mesh.ask({ peer: reviews }));
  issued(await mesh.ask({ peer: reviews }));
  refused(await mesh.ask({ peer: reviews }), "resource-exhausted", /try again in 1 s/);
  issued(await mesh.ask({ peer: ratings }, createCsr(keys, ratings)));
  await mesh.clock.advance(1_000);
  issued(await mesh.ask({ peer: reviews }));
});

test("after a restart the root, the tokens and what they were used for are the same", async (t) => {
  const mesh = await setUp(t);
  const [used, unused] = [mesh.token(), mesh.token()];
  const before = issued(await mesh.ask({ token: used }));
  const { rootPem } = mesh.ca.caStatus();
  await mesh.restart();
  assert.equal(mesh.ca.caStatus().rootPem, rootPem);
  assert.equal(mesh.ca.verifyPeer(before.chainPem.join("")), reviews);
  refused(
    await mesh.ask({ token: used }, createCsr(await generateKeyPair(), reviews)),
    "unauthenticated",
    /token/,
  );
  issued(await mesh.ask({ token: used }));
  issued(await mesh.ask({ token: unused }, createCsr(await generateKeyPair(), reviews)));
});

test("the status says what the root is and how many certificates are in use", async (t) => {
  const mesh = await setUp(t, { certificateTtlMs: 120_000 });
  issued(await mesh.ask({ peer: reviews }));
  await mesh.clock.advance(60_000);
  issued(await mesh.ask({ peer: reviews }));
  await mesh.clock.advance(60_000);
  const status = mesh.ca.caStatus();
  const [root] = parseCertificates(status.rootPem);
  assert.equal(status.trustDomain, "cluster.local");
  assert.match(status.rootSubject, /^O=Weft, CN=Weft root [0-9a-f]{8}$/);
  assert.equal(status.rootFingerprint, root?.x509.fingerprint256);
  assert.equal(new Date(status.rootNotAfterMs).getUTCFullYear(), 2035);
  assert.equal(status.certificateTtlSeconds, 120);
  assert.deepEqual([status.issued, status.issuedTotal, status.active], [2, 2, 1]);
  await mesh.restart();
  assert.deepEqual([mesh.ca.caStatus().issued, mesh.ca.caStatus().issuedTotal], [0, 2]);
});

test("the token an operator gets pins the root, is listed by its id, and can be revoked", async (t) => {
  const mesh = await setUp(t);
  const created = mesh.ca.createToken({ namespace: "default", serviceAccount: "reviews", ttlSeconds: 60 });
  const { id, pin, secret } = parseJoinToken(created.token);
  assert.equal(pin, spkiPin(mesh.ca.trust.view.issuingRoot));
  assert.equal(created.identity, reviews);
  assert.equal(created.expiresAtMs, mesh.clock.now() + 60_000);
  const state = () => mesh.ca.listTokens().tokens.find((token) => token.id === id)?.state;
  assert.equal(state(), "unused");
  assert.ok(!JSON.stringify(mesh.ca.listTokens()).includes(secret));
  assert.equal(mesh.ca.revokeToken(id), true);
  assert.equal(state(), "revoked");
  assert.equal(mesh.ca.revokeToken("0".repeat(16)), false);
  assert.deepEqual(
    mesh.audit.recent(2).map(({ event }) => event),
    ["token revoked", "token created"],
  );
});

test("a token for what cannot be an identity, or for too long, is refused with the rule", async (t) => {
  const { ca } = await setUp(t);
  const cases = [
    [{ namespace: "Default", serviceAccount: "x" }, /not a namespace/],
    [{ namespace: "default", serviceAccount: "a/b" }, /not a service account/],
    [{ namespace: "default", serviceAccount: "x", ttlSeconds: 0 }, /cannot last 0 s/],
    [{ namespace: "default", serviceAccount: "x", ttlSeconds: Number.NaN }, /cannot last/],
    [{ namespace: "default", serviceAccount: "x", ttlSeconds: 31 * 86_400 }, /cannot last/],
    [{ namespace: "default", serviceAccount: "x", uses: 0 }, /used 0 times/],
  ] as const;
  for (const [request, message] of cases) {
    assert.throws(
      () => ca.createToken(request),
      (error) => error instanceof UserError && message.test(error.message),
    );
  }
});

test("the control plane's own certificate is recognised by a token's pin, and replaced before it expires", async (t) => {
  const mesh = await setUp(t, { certificateTtlMs: 600_000, random: () => 0.5 });
  const serving = await mesh.ca.openServingCertificate();
  const first = serving.current;
  const { pin } = parseJoinToken(mesh.token());
  verifyPinnedChain(first.chainPem, pin, mesh.clock.now());
  const [leaf] = parseCertificates(first.chainPem);
  assert.deepEqual(leaf?.facts.dnsNames, ["weft-control-plane", "localhost"]);
  const seen: string[] = [];
  serving.onChange(({ chainPem }) => seen.push(chainPem));
  await mesh.clock.advance(284_000);
  assert.equal(mesh.clock.pendingTimers, 1, "still waiting for its half-life");
  const changed = new Promise((resolve) => serving.onChange(resolve));
  await mesh.clock.advance(2_000);
  await changed;
  assert.deepEqual(seen, [serving.current.chainPem]);
  assert.notEqual(serving.current.keyPem, first.keyPem);
  verifyPinnedChain(serving.current.chainPem, pin, mesh.clock.now());
  serving.close();
  assert.equal(mesh.clock.pendingTimers, 0);
});

test("a root that cannot be used is refused at the start, with what to do", async (t) => {
  const mesh = await setUp(t);
  const other = new TestCa();
  const root = (certificatePem: string, privateKeyPem: string) => ({
    certificatePem,
    privateKeyPem,
    state: "issuing" as const,
    createdAtMs: 0,
    crossPem: "",
  });
  const mine = mesh.ca.caStatus().rootPem;
  const otherKey = other.rootKeys.privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  const old = new TestCa({ nowMs: Date.UTC(2001, 0, 1) });
  const oldKey = old.rootKeys.privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  for (const [stored, message] of [
    [root(mine, otherKey), /do not match/],
    [root("", otherKey), /no certificate/],
    [root(old.root.pem, oldKey), /expired at 2010/],
  ] as const) {
    const roots = { ...mesh.roots, list: () => [stored] };
    const revocations = { list: () => [], add() {} };
    const store = { roots, tokens: {} as never, audit: mesh.audit, revocations };
    const log = { info() {}, warn() {}, error() {} };
    await assert.rejects(
      openCertificateAuthority({ store, trustDomain, clock: mesh.clock, log }),
      (error) => error instanceof UserError && message.test(error.message) && /backup/.test(error.hint ?? ""),
    );
  }
});
