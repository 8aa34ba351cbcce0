import assert from "node:assert/strict";
import { test } from "node:test";
import { linearScale, niceTicks, timeTicks } from "./scale.ts";

const axes: readonly (readonly [max: number, count: number, ticks: readonly number[]])[] = [
  [0, 4, [0, 1]],
  [Number.NaN, 4, [0, 1]],
  [1, 4, [0, 0.25, 0.5, 0.75, 1]],
  [87, 4, [0, 25, 50, 75, 100]],
  [3, 3, [0, 1, 2, 3]],
  [0.0123, 3, [0, 0.005, 0.01, 0.015]],
  [1234, 4, [0, 500, 1000, 1500]],
];
for (const [max, count, ticks] of axes) {
  test(`an axis up to ${max} has the ticks ${ticks.join(", ")}`, () => {
    assert.deepEqual(niceTicks(max, count), ticks);
  });
}

test("whatever the maximum, an axis reaches it and has few ticks", () => {
  for (let exponent = -6; exponent < 9; exponent += 0.0937) {
    const max = 10 ** exponent;
    const ticks = niceTicks(max, 4);
    assert.ok(ticks.at(-1)! >= max * 0.999 && ticks.length <= 6, `${max}: ${ticks}`);
  }
});

test("time is marked at full minutes, no closer than asked", () => {
  const start = Date.UTC(2026, 0, 1, 10, 3, 20);
  const ticks = timeTicks(start, start + 3_600_000, 6);
  assert.ok(ticks.length <= 7 && ticks.length >= 5);
  for (const tick of ticks) assert.equal(tick % 600_000, 0);
});

test("a scale is linear, and a domain of no extent is in the middle", () => {
  assert.equal(linearScale([0, 10], [100, 0])(2.5), 75);
  assert.equal(linearScale([3, 3], [0, 10])(3), 5);
});
