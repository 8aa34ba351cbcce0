import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { parseTrustDomain } from "@weft/identity/spiffe-id";
import { FakeClock } from "@weft/testkit/fake-clock";
import { openStore } from "./open-store.ts";

const bounds = { fileEntries: 10, keptEntries: 20, keptFiles: 3 };

function setUp(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "weft-audit-"));
  const clock = new FakeClock();
  const trustDomain = parseTrustDomain("cluster.local");
  const open = () => openStore({ directory, trustDomain, clock, auditBounds: bounds });
  let store = open();
  t.after(() => {
    store.close();
    rmSync(directory, { recursive: true });
  });
  const folder = join(directory, "audit");
  const archives = () => {
    try {
      return readdirSync(folder).sort((a, b) => Number(a.split("-")[1]) - Number(b.split("-")[1]));
    } catch {
      return [];
    }
  };
  const linesOf = (name: string) =>
    gunzipSync(readFileSync(join(folder, name)))
      .toString()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
  return {
    clock,
    directory,
    folder,
    archives,
    linesOf,
    get store() {
      return store;
    },
    restart() {
      store.close();
      store = open();
    },
    /** Certificates that live for a second. */
    async issue(from: number, to: number) {
      for (let i = from; i <= to; i++) {
        await store.audit.recordIssuance({
          atMs: clock.now(),
          event: "certificate issued",
          subject: "spiffe://cluster.local/ns/default/sa/a",
          authorizedBy: "test",
          address: "",
          serial: `${i}`,
          keyHash: "k",
          expiresAtMs: clock.now() + 1_000,
        });
      }
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

test("the oldest entries move to files when they have expired, and none is lost or doubled", async (t) => {
  const mesh = setUp(t);
  await mesh.issue(1, 40);
  assert.deepEqual(mesh.archives(), [], "they are still good: renewals look them up");
  await mesh.clock.advance(2_000);
  await mesh.issue(41, 50);
  await mesh.issue(51, 60);
  const archived = mesh
    .archives()
    .flatMap(mesh.linesOf)
    .map(({ serial }) => Number(serial));
  const kept = mesh.store.audit.recent(1_000).map(({ serial }) => Number(serial));
  assert.ok(archived.length >= 20);
  assert.deepEqual(
    [...archived, ...kept.toReversed()],
    Array.from({ length: 60 }, (_, i) => i + 1),
  );
  assert.equal(mesh.store.audit.countIssued(mesh.clock.now()).total, 60);
  assert.equal(statSync(join(mesh.folder, mesh.archives()[0]!)).mode & 0o777, 0o600);
  mesh.restart();
  assert.equal(mesh.store.audit.countIssued(mesh.clock.now()).total, 60);
});

test("what is not archived cannot be deleted, from outside neither", async (t) => {
  const mesh = setUp(t);
  await mesh.issue(1, 40);
  await mesh.clock.advance(2_000);
  await mesh.issue(41, 50);
  const outside = new DatabaseSync(join(mesh.directory, "weft.db"));
  t.after(() => outside.close());
  assert.throws(() => outside.exec("DELETE FROM audit"), /append-only/);
  assert.throws(() => outside.exec("UPDATE audit SET subject = 'x'"), /append-only/);
});

test("when the oldest file has to go, the log says which", async (t) => {
  const mesh = setUp(t);
  for (let round = 0; round < 12; round++) {
    await mesh.issue(round * 10 + 1, round * 10 + 10);
    await mesh.clock.advance(2_000);
  }
  assert.equal(mesh.archives().length, bounds.keptFiles);
  const entries = [...mesh.archives().flatMap(mesh.linesOf), ...mesh.store.audit.recent(1_000).toReversed()];
  const deleted = entries
    .filter(({ event }) => event === "audit archive deleted")
    .map(({ subject }) => subject);
  const firstKept = Number(mesh.archives()[0]!.split("-")[1]);
  assert.equal(
    deleted.at(-1),
    `audit-${firstKept - 10}-${firstKept - 1}.jsonl.gz`,
    "up to what is still there",
  );
  assert.equal(mesh.store.audit.countIssued(mesh.clock.now()).total, 120);
});
