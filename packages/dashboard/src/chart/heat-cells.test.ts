import assert from "node:assert/strict";
import { test } from "node:test";
import { heatCells } from "./heat-cells.ts";

const boundsMs = [1, 5, 10, 25, 50, 100, 250];

test("buckets above and below all calls are left out, but for one on either side", () => {
  const { rows, labels, cells } = heatCells({ heat: { boundsMs, counts: [[], [0, 0, 0, 4, 1, 0, 0, 0]] } });
  assert.equal(rows, 4);
  assert.deepEqual(
    labels.map(({ ms }) => ms),
    [10, 25, 50, 100],
  );
  assert.deepEqual(
    cells.map(({ column, row, share, fromMs, toMs }) => [column, row, share, fromMs, toMs]),
    [
      [1, 1, 1, 10, 25],
      [1, 2, 0.5, 25, 50],
    ],
  );
});

test("calls above every bound have no end", () => {
  const { cells } = heatCells({ heat: { boundsMs, counts: [[0, 0, 0, 0, 0, 0, 0, 9]] } });
  assert.equal(cells[0]!.fromMs, 250);
  assert.equal(cells[0]!.toMs, undefined);
});

test("without calls there is nothing to draw", () => {
  assert.deepEqual(heatCells({}).cells, []);
});
