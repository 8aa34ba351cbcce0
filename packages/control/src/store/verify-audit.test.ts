import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { parseTrustDomain } from "@weft/identity/spiffe-id";
import { FakeClock } from "@weft/testkit/fake-clock";
import { openStore } from "./open-store.ts";

/** A log of 36 entries, of which the oldest ten are in an archive. */
async function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "weft-verify-"));
  const clock = new FakeClock();
  const open = () =>
    openStore({
      directory,
      trustDomain: parseTrustDomain("cluster.local"),
      clock,
      auditBounds: { fileEntries: 10, keptEntries: 20, keptFiles: 2 },
    });
  let store = open();
  t.after(() => {
    store.close();
    rmSync(directory, { recursive: true });
  });
  const append = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const actor = { authorizedBy: `operator ${i % 2 === 0 ? "ada" : "bob"}`, address: "10.0.0.1" };
      store.audit.append({
        atMs: clock.now(),
        event: "configuration changed",
        subject: `a${i}`,
        revision: i,
        ...actor,
      });
    }
    await new Promise((resolve) => setImmediate(resolve));
  };
  await append(36);
  const folder = join(directory, "audit");
  return {
    append,
    folder,
    get audit() {
      return store.audit;
    },
    /** As somebody who can write the database, and knows how its triggers are dropped. */
    async tamper(sql: string) {
      store.close();
      const database = new DatabaseSync(join(directory, "weft.db"));
      database.exec(`DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete; ${sql}`);
      database.close();
      store = open();
    },
    archive: () => join(folder, readdirSync(folder)[0]!),
  };
}

test("a log is intact over archives, restarts, and what was taken back", async (t) => {
  const log = await setUp(t);
  const first = await log.audit.verify();
  assert.deepEqual(
    [first.isIntact, first.entries, first.unchained, first.firstId, first.head?.id],
    [true, 36, 0, 1, 36],
  );
  await log.tamper("");
  await log.append(40);
  const second = await log.audit.verify(first.head);
  assert.ok(second.isIntact, second.problem);
  assert.ok(second.firstId! > 1, "the oldest archive went, and the chain goes on from it");
});

const tampered: readonly (readonly [what: string, sql: string, problem: RegExp])[] = [
  ["changed", "UPDATE audit SET subject = 'nothing' WHERE id = 20", /entry 20 is not what was written/],
  ["made another's", "UPDATE audit SET authorized_by = 'operator eve' WHERE id = 30", /entry 30 is not/],
  ["unrefused", "UPDATE audit SET outcome = '403' WHERE id = 30", /entry 30 is not/],
  ["taken out", "DELETE FROM audit WHERE id = 21", /entries 21 to 21 are missing/],
  [
    "taken out, and the gap closed",
    "DELETE FROM audit WHERE id = 21; UPDATE audit SET id = id - 1 WHERE id > 21",
    /entry 21 is not/,
  ],
  ["stripped of its hash", "UPDATE audit SET hash = '' WHERE id = 25", /entry 25 has no hash/],
  [
    "put in",
    "INSERT INTO audit SELECT 37, at_ms, event, subject, authorized_by, address, serial, key_hash, expires_at_ms, outcome, revision, hash FROM audit WHERE id = 36",
    /entry 37 is not/,
  ],
];
for (const [what, sql, problem] of tampered) {
  test(`an entry that is ${what} is noticed`, async (t) => {
    const log = await setUp(t);
    await log.tamper(sql);
    const found = await log.audit.verify();
    assert.equal(found.isIntact, false);
    assert.match(found.problem!, problem);
  });
}

test("what is cut off at the end is noticed by who has noted the head", async (t) => {
  const log = await setUp(t);
  const { head } = await log.audit.verify();
  await log.tamper("DELETE FROM audit WHERE id > 33");
  assert.equal((await log.audit.verify()).isIntact, true, "nothing here can know");
  assert.match((await log.audit.verify(head)).problem!, /entry 36 is not the one that was noted/);
});

test("an archive that is changed, or gone, is noticed", async (t) => {
  const log = await setUp(t);
  const file = log.archive();
  const text = gunzipSync(readFileSync(file)).toString();
  writeFileSync(file, gzipSync(text.replace('"subject":"a3"', '"subject":"a4"')));
  assert.match((await log.audit.verify()).problem!, /entry 4 is not what was written/);
  rmSync(file);
  assert.match((await log.audit.verify()).problem!, /cannot be read/);
});

test("entries are found by who, what and when", async (t) => {
  const log = await setUp(t);
  const found = log.audit.find({ limit: 3, by: "ada", event: "configuration changed" });
  assert.deepEqual(
    found.map(({ subject, revision }) => [subject, revision]),
    [
      ["a34", 34],
      ["a32", 32],
      ["a30", 30],
    ],
  );
  assert.deepEqual(log.audit.find({ limit: 3, by: "%" }), [], "it is no pattern");
  assert.deepEqual(log.audit.find({ limit: 3, sinceMs: Number.MAX_SAFE_INTEGER }), []);
});
