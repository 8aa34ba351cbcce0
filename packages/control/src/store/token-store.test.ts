import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { parseSpiffeId, parseTrustDomain } from "@weft/identity/spiffe-id";
import { FakeClock } from "@weft/testkit/fake-clock";
import type { AuditEntry } from "./audit-entry.ts";
import { openStore } from "./open-store.ts";

const hash = (text: string) => createHash("sha256").update(text).digest();
const identity = parseSpiffeId("spiffe://cluster.local/ns/default/sa/reviews");
const token = { id: "t1", hash: hash("secret"), identity, maxUses: 1, createdAtMs: 0, expiresAtMs: 1_000 };
const use = { id: "t1", hash: hash("secret"), keyHash: hash("key"), nowMs: 10 };
const entry: AuditEntry = {
  atMs: 10,
  event: "certificate issued",
  subject: identity,
  authorizedBy: "token t1",
  address: "10.0.0.1",
  serial: "01",
  keyHash: "aa",
  expiresAtMs: 5_000,
};

function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "weft-tokens-"));
  const store = openStore({
    directory,
    trustDomain: parseTrustDomain("cluster.local"),
    clock: new FakeClock(),
  });
  t.after(() => {
    store.close();
    rmSync(directory, { recursive: true });
  });
  return { ...store, file: join(directory, "weft.db") };
}

test("a token works once, and of many at the same moment exactly one wins", async (t) => {
  const { tokens, audit } = setUp(t);
  tokens.add(token);
  const verdicts = await Promise.all(
    Array.from({ length: 20 }, (_, i) => audit.recordIssuance(entry, { ...use, keyHash: hash(`key ${i}`) })),
  );
  assert.equal(verdicts.filter((verdict) => verdict?.isGood).length, 1);
  assert.equal(audit.recent(100).length, 1, "only the one that won is in the log");
  assert.equal(tokens.list()[0]?.uses, 1);
});

test("a token for several uses works for that many keys", async (t) => {
  const { tokens, audit } = setUp(t);
  tokens.add({ ...token, maxUses: 2 });
  for (const [key, isGood] of [
    ["a", true],
    ["b", true],
    ["c", false],
  ] as const) {
    assert.equal((await audit.recordIssuance(entry, { ...use, keyHash: hash(key) }))?.isGood, isGood, key);
  }
});

test("a key that used a token of several uses cannot use it again later", async (t) => {
  const { tokens, audit } = setUp(t);
  tokens.add({ ...token, maxUses: 2, expiresAtMs: 10_000_000 });
  await audit.recordIssuance(entry, use);
  const later = { ...use, nowMs: use.nowMs + 120_001 };
  assert.deepEqual(tokens.judge(later), { isGood: false, fault: "already used" });
  assert.equal(tokens.judge({ ...later, keyHash: hash("other") }).isGood, true);
});

test("the same key may ask again for two minutes, as when the answer got lost", async (t) => {
  const { tokens, audit } = setUp(t);
  tokens.add({ ...token, expiresAtMs: 10_000_000 });
  await audit.recordIssuance(entry, use);
  assert.equal(tokens.judge({ ...use, nowMs: use.nowMs + 120_000 }).isGood, true);
  assert.deepEqual(tokens.judge({ ...use, nowMs: use.nowMs + 120_001 }), {
    isGood: false,
    fault: "already used",
  });
  assert.deepEqual(tokens.judge({ ...use, keyHash: hash("other") }), {
    isGood: false,
    fault: "already used",
  });
});

test("each fault of a token has its own name in the operator's log", (t) => {
  const { tokens } = setUp(t);
  tokens.add(token);
  tokens.add({ ...token, id: "t2" });
  assert.equal(tokens.revoke("t2", 5), true);
  assert.equal(tokens.revoke("t3", 5), false);
  const cases = [
    [{ id: "t3" }, "unknown"],
    [{ hash: hash("guess") }, "wrong secret"],
    [{ hash: Buffer.alloc(0) }, "wrong secret"],
    [{ id: "t2" }, "revoked"],
    [{ nowMs: 1_000 }, "expired"],
  ] as const;
  for (const [change, fault] of cases) {
    assert.deepEqual(tokens.judge({ ...use, ...change }), { isGood: false, fault });
  }
  assert.deepEqual(tokens.judge({ ...use, nowMs: 999 }), { isGood: true, identity });
  assert.equal(tokens.find("t2")?.isRevoked, true);
  assert.equal(tokens.find("t3"), undefined);
  assert.deepEqual([tokens.countLive(999), tokens.countLive(1_000)], [1, 0]);
});

test("the audit log can be read and extended, and not changed", async (t) => {
  const { audit, file } = setUp(t);
  await audit.recordIssuance(entry);
  audit.append({ ...entry, event: "token created", expiresAtMs: undefined, keyHash: undefined });
  assert.deepEqual(audit.recent(10)[1], entry);
  assert.deepEqual(audit.countIssued(4_999), { total: 1, active: 1 });
  assert.deepEqual(audit.countIssued(5_000), { total: 1, active: 0 });
  const outside = new DatabaseSync(file);
  t.after(() => outside.close());
  for (const sql of ["DELETE FROM audit", "UPDATE audit SET subject = 'x'"]) {
    assert.throws(() => outside.exec(sql), /append-only/);
  }
});

test("tokens that expired long ago are forgotten", (t) => {
  const { tokens } = setUp(t);
  tokens.add(token);
  tokens.add({ ...token, id: "t2", createdAtMs: 8 * 86_400_000, expiresAtMs: 9 * 86_400_000 });
  assert.deepEqual(
    tokens.list().map(({ id }) => id),
    ["t2"],
  );
});

test("an identity may be a gateway from the use of a token that says so, until that is taken back", async (t) => {
  const { tokens, audit } = setUp(t);
  tokens.add({ ...token, id: "t2", isGateway: true });
  tokens.add(token);
  await audit.recordIssuance(entry, use);
  assert.equal(tokens.mayBeGateway(identity), false, "not by another token, nor by one that is not used");
  assert.equal((await audit.recordIssuance(entry, { ...use, id: "t2", hash: hash("guess") }))?.isGood, false);
  assert.equal(tokens.mayBeGateway(identity), false, "nor by a guess");
  await audit.recordIssuance(entry, { ...use, id: "t2" });
  assert.equal(tokens.mayBeGateway(identity), true);
  assert.equal(tokens.mayBeGateway(parseSpiffeId(`${identity}2`)), false);
  tokens.forgetGateway(identity);
  assert.equal(tokens.mayBeGateway(identity), false);
});
