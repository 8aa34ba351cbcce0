import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import { MemoryRelease } from "./memory-release.ts";
import { youngGeneration } from "./young-generation.ts";

const mebibyte = 1024 * 1024;

test("memory is given back once after the start, then only when it has grown", async () => {
  const clock = new FakeClock();
  let resident = 100 * mebibyte;
  let releases = 0;
  const release = () => {
    releases += 1;
    resident = 80 * mebibyte;
  };
  const subject = new MemoryRelease({ clock, residentBytes: () => resident, release });
  await clock.advance(3_000);
  assert.equal(releases, 1);
  await clock.advance(30_000);
  assert.equal(releases, 1, "nothing grew");
  resident = 81 * mebibyte;
  await clock.advance(10_000);
  assert.equal(releases, 1, "too little to be worth it");
  resident = 83 * mebibyte;
  await clock.advance(10_000);
  assert.equal(releases, 2);
  subject.stop();
  resident = 200 * mebibyte;
  await clock.advance(60_000);
  assert.equal(releases, 2, "stopped");
});

test("the young generation is made small when it has grown and nothing goes on, and not too often", async () => {
  const clock = new FakeClock();
  let [committed, busy, shrinks] = [16 * mebibyte, 0.5, 0];
  const young = {
    committedBytes: () => committed,
    busyShare: () => busy,
    shrink: () => {
      shrinks += 1;
    },
  };
  const subject = new MemoryRelease({ clock, residentBytes: () => 0, release: () => {}, young });
  await clock.advance(23_000);
  assert.equal(shrinks, 0, "there is work");
  [committed, busy] = [2 * mebibyte, 0];
  await clock.advance(10_000);
  assert.equal(shrinks, 0, "it is small");
  committed = 16 * mebibyte;
  await clock.advance(10_000);
  assert.equal(shrinks, 1);
  await clock.advance(280_000);
  assert.equal(shrinks, 1, "grown again, a moment ago");
  await clock.advance(30_000);
  assert.equal(shrinks, 2);
  subject.stop();
});

test("a young generation that has grown really goes back to the system", () => {
  const young = youngGeneration();
  // Survivors make it grow.
  let kept: object[] = [];
  for (let i = 0; i < 2_000_000; i++) {
    kept.push({ i });
    if (kept.length === 20_000) kept = [];
  }
  const grown = young.committedBytes();
  young.shrink();
  assert.ok(young.committedBytes() <= 2 * mebibyte, `${young.committedBytes()} of ${grown} bytes are left`);
  assert.ok(young.busyShare() >= 0);
});

test("free memory of the C heap really goes back to the system", {
  skip: process.platform !== "linux",
}, async () => {
  const clock = new FakeClock();
  const subject = new MemoryRelease({ clock });
  // Below the allocator's threshold for mapping, so that they come from its heap; the last one pins its top.
  const blocks = Array.from({ length: 2_000 }, () => Buffer.allocUnsafeSlow(32 * 1024).fill(1));
  const pin = blocks.pop();
  const before = process.memoryUsage.rss();
  blocks.length = 0;
  await collect();
  await clock.advance(3_000);
  const freed = before - process.memoryUsage.rss();
  subject.stop();
  assert.ok(freed > 40 * mebibyte, `${Math.round(freed / mebibyte)} MB of about 62 went back`);
  assert.equal(pin?.length, 32 * 1024);
});

/** Array buffers are freed some time after the collection that finds them dead. */
async function collect(): Promise<void> {
  const { setFlagsFromString } = await import("node:v8");
  const { runInNewContext } = await import("node:vm");
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  for (let i = 0; i < 5; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
