import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import fc from "@weft/testkit/properties";
import { renewAfterMs, runAtWallTime } from "./renewal.ts";

test("a certificate is renewed at its half-life, give or take a tenth of its life", () => {
  const life = { notBeforeMs: 0, notAfterMs: 100_000 };
  assert.equal(
    renewAfterMs(life, 0, () => 0.5),
    50_000,
  );
  assert.equal(
    renewAfterMs(life, 0, () => 0),
    40_000,
  );
  assert.equal(
    renewAfterMs(life, 30_000, () => 0.5),
    20_000,
  );
  assert.equal(
    renewAfterMs(life, 70_000, () => 0.5),
    0,
    "at once when the moment has passed",
  );
  assert.equal(
    renewAfterMs(life, 900_000, () => 0.5),
    0,
    "also when the certificate has expired",
  );
  fc.assert(
    fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), (random) => {
      const waitMs = renewAfterMs(life, 0, () => random);
      assert.ok(waitMs >= 40_000 && waitMs <= 60_000);
    }),
  );
});

test("something due at a wall-clock time runs once, then", async () => {
  const clock = new FakeClock();
  const ran: number[] = [];
  const dueMs = clock.now() + 3_600_000;
  runAtWallTime(clock, dueMs, () => ran.push(clock.now()));
  await clock.advance(3_599_999);
  assert.deepEqual(ran, []);
  await clock.advance(100_000);
  assert.deepEqual(ran, [dueMs]);
  assert.equal(clock.pendingTimers, 0);
});

test("it runs within seconds after the machine slept past it", async () => {
  class SleepyClock extends FakeClock {
    asleepMs = 0;
    override now(): number {
      return super.now() + this.asleepMs;
    }
  }
  const clock = new SleepyClock();
  let runs = 0;
  runAtWallTime(clock, clock.now() + 86_400_000, () => {
    runs += 1;
  });
  clock.asleepMs = 7 * 86_400_000;
  await clock.advance(15_000);
  assert.equal(runs, 1);
});

test("what was cancelled does not run", async () => {
  const clock = new FakeClock();
  const timer = runAtWallTime(clock, clock.now() + 40_000, () => assert.fail("it ran"));
  await clock.advance(20_000);
  timer.cancel();
  await clock.advance(100_000);
  assert.equal(clock.pendingTimers, 0);
});
