import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "./fake-clock.ts";

test("timers fire in order of time, each at its own moment", async () => {
  const clock = new FakeClock(1_000);
  const fired: [string, number][] = [];
  clock.setTimer(() => fired.push(["late", clock.now()]), 20);
  clock.setTimer(() => {
    fired.push(["early", clock.now()]);
    clock.setTimer(() => fired.push(["chained", clock.now()]), 5);
  }, 10);
  await clock.advance(30);
  assert.deepEqual(fired, [
    ["early", 1_010],
    ["chained", 1_015],
    ["late", 1_020],
  ]);
  assert.equal(clock.now(), 1_030);
  assert.equal(clock.pendingTimers, 0);
});

test("an aborted sleep rejects and leaves no timer", async () => {
  const clock = new FakeClock();
  const abort = new AbortController();
  const sleep = clock.sleepMs(100, abort.signal);
  abort.abort(new Error("enough"));
  await assert.rejects(sleep, /enough/);
  assert.equal(clock.pendingTimers, 0);
});
