import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import { TimerEntry, Timers } from "./timers.ts";

function recorder() {
  const fired: number[] = [];
  return { fired, owner: { onTimer: (kind: number) => void fired.push(kind) } };
}

describe("timers", () => {
  it("fire in order of deadline, each once", async () => {
    const clock = new FakeClock();
    const timers = new Timers(clock);
    const { fired, owner } = recorder();
    timers.start(new TimerEntry(owner, 1), 100, clock.monotonicMs());
    timers.start(new TimerEntry(owner, 2), 50, clock.monotonicMs());
    await clock.advance(60);
    assert.deepEqual(fired, [2]);
    await clock.advance(100);
    assert.deepEqual(fired, [2, 1]);
    assert.equal(clock.pendingTimers, 0, "no clock timer stays behind");
  });

  it("start anew when started again, and never fire when stopped", async () => {
    const clock = new FakeClock();
    const timers = new Timers(clock);
    const { fired, owner } = recorder();
    const kept = new TimerEntry(owner, 1);
    const stopped = new TimerEntry(owner, 2);
    timers.start(kept, 100, clock.monotonicMs());
    timers.start(stopped, 100, clock.monotonicMs());
    stopped.stop();
    await clock.advance(80);
    timers.start(kept, 100, clock.monotonicMs());
    await clock.advance(80);
    assert.deepEqual(fired, []);
    await clock.advance(30);
    assert.deepEqual(fired, [1]);
  });

  it("share one clock timer per duration", () => {
    const clock = new FakeClock();
    const timers = new Timers(clock);
    const { owner } = recorder();
    for (let i = 0; i < 100; i++) timers.start(new TimerEntry(owner, i), 15_000, clock.monotonicMs());
    assert.equal(clock.pendingTimers, 1);
  });
});
