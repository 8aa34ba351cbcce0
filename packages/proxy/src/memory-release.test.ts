import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import { MemoryRelease } from "./memory-release.ts";

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
