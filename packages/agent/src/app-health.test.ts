import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import { watchAppHealth } from "./app-health.ts";

test("an application is healthy once it accepts, and unhealthy only when it stays silent", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const changes: (string | undefined)[] = [];
  let isAccepting = false;
  const watching = watchAppHealth({
    clock,
    probe: async () => isAccepting,
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
