import assert from "node:assert/strict";
import { test } from "node:test";
import { LineQueue } from "./line-queue.ts";

test("values come in order, what is too much is not taken, and the end comes with the signal", async () => {
  const queue = new LineQueue<number>();
  const taken = Array.from({ length: 1_100 }, (_, i) => queue.add(i)).filter(Boolean).length;
  assert.equal(taken, 1_000);
  const stop = new AbortController();
  const seen: number[] = [];
  for await (const value of queue.read(stop.signal)) {
    seen.push(value);
    if (value === 999) queue.add(2_000);
    if (value === 2_000) setImmediate(() => queue.add(2_001));
    if (value === 2_001) stop.abort();
  }
  assert.deepEqual(seen.slice(-4), [998, 999, 2_000, 2_001]);
  assert.equal(seen.length, 1_002);
});
