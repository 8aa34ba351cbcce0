import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "./backoff.ts";

test("delays grow to the maximum and start over after a success", () => {
  const backoff = new Backoff({ baseMs: 100, maxMs: 1_000, random: () => 0 });
  assert.deepEqual(
    [1, 2, 3, 4, 5].map(() => backoff.nextMs()),
    [100, 200, 400, 800, 1_000],
  );
  backoff.reset();
  assert.equal(backoff.nextMs(), 100);
});

test("jitter stays above zero and below the ceiling", () => {
  const almostOne = new Backoff({ baseMs: 100, maxMs: 1_000, random: () => 0.999999 });
  assert.equal(almostOne.nextMs(), 1);
  const middle = new Backoff({ baseMs: 100, maxMs: 1_000, random: () => 0.5 });
  assert.equal(middle.nextMs(), 50);
});

test("a thousand failures do not overflow", () => {
  const backoff = new Backoff({ baseMs: 100, maxMs: 30_000, random: () => 0 });
  for (let i = 0; i < 1_000; i++) assert.ok(backoff.nextMs() <= 30_000);
});
