import assert from "node:assert/strict";
import { it } from "node:test";
import { computePriorityLoads } from "./priority-load.ts";

/** Each level as [healthy, degraded, total]. The first rows are the table in Envoy's documentation of priority levels. */
const cases: readonly {
  readonly levels: readonly (readonly [number, number, number])[];
  readonly healthy: readonly number[];
  readonly degraded?: readonly number[];
  readonly panic?: readonly boolean[];
}[] = [
  {
    levels: [
      [100, 0, 100],
      [100, 0, 100],
    ],
    healthy: [100, 0],
  },
  {
    levels: [
      [72, 0, 100],
      [72, 0, 100],
    ],
    healthy: [100, 0],
  },
  {
    levels: [
      [71, 0, 100],
      [71, 0, 100],
    ],
    healthy: [99, 1],
  },
  {
    levels: [
      [50, 0, 100],
      [50, 0, 100],
    ],
    healthy: [70, 30],
  },
  {
    levels: [
      [25, 0, 100],
      [100, 0, 100],
    ],
    healthy: [35, 65],
  },
  {
    levels: [
      [0, 0, 100],
      [100, 0, 100],
    ],
    healthy: [0, 100],
  },
  {
    levels: [
      [5, 0, 100],
      [65, 0, 100],
    ],
    healthy: [8, 92],
    panic: [true, false],
  },
  {
    levels: [
      [25, 0, 100],
      [25, 0, 100],
    ],
    healthy: [50, 50],
    panic: [true, true],
  },
  {
    levels: [
      [0, 0, 100],
      [0, 0, 50],
    ],
    healthy: [100 * (2 / 3), 100 / 3],
    panic: [true, true],
  },
  {
    levels: [
      [0, 100, 100],
      [0, 0, 100],
    ],
    healthy: [0, 0],
    degraded: [100, 0],
  },
  { levels: [[50, 50, 100]], healthy: [70], degraded: [30] },
  {
    levels: [
      [0, 0, 0],
      [10, 0, 10],
    ],
    healthy: [0, 100],
  },
];

for (const { levels, healthy, degraded, panic } of cases) {
  it(`${JSON.stringify(levels)} shares ${healthy.map((n) => Math.round(n)).join("/")}`, () => {
    const loads = computePriorityLoads(
      levels.map(([ok, poor, total]) => ({ healthy: ok, degraded: poor, total })),
      140,
      50,
    );
    loads.forEach((load, i) => {
      assert.ok(Math.abs(load.healthyPercent - healthy[i]!) <= 1, `level ${i}: ${load.healthyPercent}`);
      assert.equal(load.degradedPercent, degraded?.[i] ?? 0);
      assert.equal(load.isPanicking, panic?.[i] ?? false);
    });
    const sum = loads.reduce((total, load) => total + load.healthyPercent + load.degradedPercent, 0);
    assert.ok(Math.abs(sum - 100) < 1e-9, "all traffic goes somewhere");
  });
}

it("nothing is shared when nothing is healthy and panic is switched off", () => {
  const [load] = computePriorityLoads([{ healthy: 0, degraded: 0, total: 3 }], 140, 0);
  assert.deepEqual(load, { healthyPercent: 0, degradedPercent: 0, isPanicking: false });
});
