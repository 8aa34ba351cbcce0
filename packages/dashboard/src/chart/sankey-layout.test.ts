import assert from "node:assert/strict";
import { test } from "node:test";
import { sankeyLayout } from "./sankey-layout.ts";

const space = { height: 110, columns: [0, 100, 200], barWidth: 10, gap: 10 } as const;
const item = (id: string, value: number) => ({ id, label: id, value });

test("bars are as high as their share, and both sides are as high as the middle", () => {
  const { left, middle, right } = sankeyLayout([item("web", 10)], [item("v1", 30), item("v2", 10)], space);
  assert.equal(middle.height, 100);
  assert.deepEqual(
    left.map(({ height }) => height),
    [100],
  );
  assert.deepEqual(
    right.map(({ y, height }) => [y, height]),
    [
      [0, 75],
      [85, 25],
    ],
  );
});

test("what gets nothing is still there to be seen", () => {
  const { right } = sankeyLayout([], [item("v1", 100), item("v2", 0)], space);
  assert.equal(right[1]!.height, 2);
});

test("without any traffic all are alike", () => {
  const { right } = sankeyLayout([], [item("v1", 0), item("v2", 0)], space);
  assert.equal(right[0]!.height, right[1]!.height);
});

test("every bar has its band, and bands fill the middle without gaps", () => {
  const { bands } = sankeyLayout([item("a", 1), item("b", 1)], [item("v1", 1)], space);
  assert.deepEqual(
    bands.map(({ id }) => id),
    ["a", "b", "v1"],
  );
  assert.match(bands[0]!.path, /^M10 0C.* 100 5V55C/);
});
