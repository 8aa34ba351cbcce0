import assert from "node:assert/strict";
import { test } from "node:test";
import { PushLoop } from "./push-loop.ts";

function setUp() {
  const pushes: (() => void)[] = [];
  const errors: unknown[] = [];
  const loop = new PushLoop(
    () => new Promise<void>((resolve) => pushes.push(resolve)),
    (error) => errors.push(error),
  );
  return { loop, pushes, errors };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test("the first request is pushed at once", () => {
  const { loop, pushes } = setUp();
  loop.request();
  assert.equal(pushes.length, 1);
});

test("requests during a push become one more push after it", async () => {
  const { loop, pushes } = setUp();
  loop.request();
  for (let i = 0; i < 10; i++) loop.request();
  assert.equal(pushes.length, 1);
  pushes[0]!();
  await settle();
  assert.equal(pushes.length, 2);
  pushes[1]!();
  await loop.idle();
  assert.equal(pushes.length, 2);
});

test("a failed push is reported and the next one still runs", async () => {
  const errors: unknown[] = [];
  let count = 0;
  const loop = new PushLoop(
    async () => {
      count += 1;
      if (count === 1) throw new Error("first");
    },
    (error) => errors.push(error),
  );
  loop.request();
  await loop.idle();
  loop.request();
  await loop.idle();
  assert.equal(count, 2);
  assert.equal(errors.length, 1);
});
