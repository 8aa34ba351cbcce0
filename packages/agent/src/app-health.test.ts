import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import { watchAppHealth } from "./app-health.ts";
import { listening } from "./app-probe.ts";

test("an application is healthy once it accepts, and unhealthy only when it stays silent", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const changes: (string | undefined)[] = [];
  let isAccepting = false;
  const probe = { ...listening, try: async () => isAccepting };
  const watching = watchAppHealth({
    clock,
    probe: () => probe,
    onChange: (problem) => changes.push(problem),
    signal: stop.signal,
  });
  await clock.advance(2_000);
  assert.deepEqual(changes, [], "not before it accepts");
  isAccepting = true;
  await clock.advance(100);
  assert.deepEqual(changes, [undefined], "at once when it does");

  isAccepting = false;
  await clock.advance(5_000);
  isAccepting = true;
  await clock.advance(5_000);
  assert.deepEqual(changes, [undefined], "one refused connection is not the end");

  isAccepting = false;
  await clock.advance(6_000);
  assert.deepEqual(changes.slice(1), ["the application no longer accepts connections"]);
  isAccepting = true;
  await clock.advance(1_000);
  assert.equal(changes.at(-1), undefined);
  assert.equal(changes.length, 3);

  stop.abort();
  await watching;
  assert.equal(clock.pendingTimers, 0);
});

test("a probe that is written down is asked as it says, once it is known", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const changes: (string | undefined)[] = [];
  let isGood = true;
  let tries = 0;
  const written = {
    problem: "no answer",
    initialDelayMs: 3_000,
    startingPeriodMs: 10_000,
    periodMs: 10_000,
    successThreshold: 2,
    failureThreshold: 3,
    try: async () => {
      tries += 1;
      return isGood;
    },
  };
  let probe: typeof written | undefined;
  const watching = watchAppHealth({
    clock,
    probe: () => probe,
    onChange: (problem) => changes.push(problem),
    signal: stop.signal,
  });
  await clock.advance(60_000);
  assert.deepEqual([changes, tries], [[], 0], "nothing is asked before it is known");
  probe = written;
  await clock.advance(3_000);
  assert.equal(tries, 0, "nor before its first delay is over");
  await clock.advance(100);
  assert.deepEqual([changes, tries], [[], 1], "one success of two");
  await clock.advance(10_000);
  assert.deepEqual([changes, tries], [[undefined], 2]);
  isGood = false;
  await clock.advance(20_000);
  assert.deepEqual([changes, tries], [[undefined], 4], "two failures of three");
  await clock.advance(10_000);
  assert.deepEqual([changes, tries], [[undefined, "no answer"], 5]);
  stop.abort();
  await watching;
});
