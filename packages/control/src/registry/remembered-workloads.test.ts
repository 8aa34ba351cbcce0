import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import { workload } from "../translate/mesh-fixture.ts";
import { RememberedWorkloads } from "./remembered-workloads.ts";
import type { Workload } from "./workload.ts";

function open(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "weft-remembered-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "workloads.json");
  const clock = new FakeClock();
  return { file, clock, remembered: new RememberedWorkloads(file, clock) };
}

function mesh(count: number, changes: Partial<Workload> = {}): ReadonlyMap<string, Workload> {
  const all = Array.from({ length: count }, (_, i) => ({
    ...workload({ service: "api", name: `w-${i}` }),
    ...changes,
  }));
  return new Map(all.map((w) => [w.id, w]));
}

for (const count of [0, 1, 256, 257, 1_000]) {
  test(`${count} workloads are read as they were written`, async (t) => {
    const { file, clock, remembered } = open(t);
    const saved = mesh(count);
    remembered.save(saved);
    await remembered.flush();
    assert.deepEqual(new RememberedWorkloads(file, clock).read(), [...saved.values()]);
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });
}

test("only what is well is remembered, and a broken file is none", async (t) => {
  const { file, remembered } = open(t);
  remembered.save(new Map([...mesh(2), ["x", { ...workload({ service: "x" }), isHealthy: false }]]));
  await remembered.flush();
  assert.deepEqual(
    remembered.read().map(({ service }) => service),
    ["api", "api"],
  );
  writeFileSync(file, "[{");
  assert.deepEqual(remembered.read(), []);
});

test("changes are written together a moment later, and not again while nothing changes", async (t) => {
  const { clock, remembered } = open(t);
  for (let i = 1; i <= 10; i += 1) remembered.save(mesh(i));
  assert.equal(clock.pendingTimers, 1);
  assert.deepEqual(remembered.read(), [], "nothing is written on the spot");
  await clock.advance(250);
  await remembered.flush();
  assert.equal(remembered.read().length, 10);
  assert.equal(clock.pendingTimers, 0);
});

test("what is saved while the file is being written is in it at a clean stop, and the file is whole at every moment", async (t) => {
  const { file, remembered } = open(t);
  remembered.save(mesh(2_000));
  await remembered.flush();
  remembered.save(mesh(1_000));
  const first = remembered.flush();
  remembered.save(mesh(3_000));
  let isOver = false;
  const stopped = Promise.all([first, remembered.flush()]).finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const { length } = JSON.parse(readFileSync(file, "utf8")) as unknown[];
    assert.ok([1_000, 2_000, 3_000].includes(length), `${length}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await stopped;
  assert.equal(remembered.read().length, 3_000);
});
