import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import { historyStepMs, SignalHistory } from "./signal-history.ts";

const busy = (requestsPerSecond: number) => ({ requestsPerSecond, successRate: 1, tcpConnections: 0 });
const heat = { bounds: [1, 5], counts: [3, 2, 1] };

test("an hour is kept, the newest point last, and silence between points is null", async () => {
  const clock = new FakeClock();
  const history = new SignalHistory({ clock });
  history.record("a", busy(1), heat);
  await clock.advance(2 * historyStepMs);
  history.record("a", busy(3), heat);
  const report = history.report("a")!;
  assert.equal(report.rps.length, 240);
  assert.deepEqual(report.rps.slice(-4), [null, 1, null, 3]);
  assert.deepEqual(report.heat!.counts.slice(-4), [[], [3, 2, 1], [], [3, 2, 1]]);
  assert.equal(report.startMs + 239 * report.stepMs, Math.floor(clock.now() / 15_000) * 15_000);
});

test("the last of several points within a step stands", () => {
  const history = new SignalHistory({ clock: new FakeClock() });
  history.record("a", busy(1));
  history.record("a", busy(2));
  assert.deepEqual(history.report("a")!.rps.slice(-2), [null, 2]);
});

test("after an hour of silence nothing old is shown, and the series is forgotten", async () => {
  const clock = new FakeClock();
  const history = new SignalHistory({ clock });
  history.record("a", busy(1));
  await clock.advance(239 * historyStepMs);
  assert.deepEqual(history.report("a")!.rps.slice(0, 2), [1, null]);
  history.record("b", busy(1));
  await clock.advance(historyStepMs);
  assert.ok(history.report("a")!.rps.every((value) => value === null));
  history.expire();
  assert.equal(history.report("a"), undefined);
  assert.equal(history.size, 1);
});

test("points of the hour before do not show through after a long silence", async () => {
  const clock = new FakeClock();
  const history = new SignalHistory({ clock });
  for (let i = 0; i < 240; i++) {
    history.record("a", busy(i + 1), heat);
    await clock.advance(historyStepMs);
  }
  await clock.advance(100 * historyStepMs);
  history.record("a", busy(7), heat);
  const report = history.report("a")!;
  assert.equal(report.rps.filter((value) => value === null).length, 100);
  assert.equal(report.heat!.counts.filter((counts) => counts.length === 0).length, 100);
});

test("beyond the limit what is new is not kept until something else is forgotten", async () => {
  const clock = new FakeClock();
  const history = new SignalHistory({ clock, maxSeries: 2 });
  for (const id of ["a", "b", "c"]) history.record(id, busy(1));
  const kept = () => ["a", "b", "c"].filter((id) => history.report(id) !== undefined).join("");
  assert.equal(kept(), "ab");
  await clock.advance(240 * historyStepMs);
  history.record("b", busy(1));
  history.expire();
  history.record("c", busy(1));
  assert.equal(kept(), "bc");
});
