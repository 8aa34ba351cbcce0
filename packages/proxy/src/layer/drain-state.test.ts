import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import { DrainState } from "./drain-state.ts";

test("gradually, the share of connections that leave is the share of the time that has passed", async () => {
  const clock = new FakeClock();
  let random = 0;
  const drain = new DrainState(clock, () => random, "gradual");
  assert.equal(drain.isActive || drain.endsConnection(), false);
  drain.begin(clock.monotonicMs(), 100_000);
  for (const [passedMs, below, above] of [
    [25_000, 0.24, 0.26],
    [50_000, 0.74, 0.76],
    [25_000, 0.999, 1],
  ] as const) {
    await clock.advance(passedMs);
    random = below;
    assert.ok(drain.endsConnection(), `${below} leaves`);
    random = above;
    assert.equal(drain.endsConnection(), above === 1, `${above} stays`);
  }
});

test("immediately, or while health checks are to fail, every answer is the last", () => {
  const clock = new FakeClock();
  const immediate = new DrainState(clock, () => 0.999, "immediate");
  immediate.begin(clock.monotonicMs(), 100_000);
  assert.ok(immediate.endsConnection());
  const failing = new DrainState(clock, () => 0.999, "gradual");
  failing.setUnhealthy(true);
  assert.ok(failing.endsConnection());
  failing.setUnhealthy(false);
  assert.equal(failing.isActive, false);
});

test("a second reason to leave does not make the first one last longer", async () => {
  const clock = new FakeClock();
  const drain = new DrainState(clock, () => 0.999, "gradual");
  drain.begin(clock.monotonicMs(), 10_000);
  drain.begin(clock.monotonicMs(), 100_000);
  await clock.advance(10_000);
  assert.ok(drain.endsConnection());
});
