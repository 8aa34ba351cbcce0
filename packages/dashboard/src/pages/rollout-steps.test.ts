import assert from "node:assert/strict";
import { test } from "node:test";
import type { RolloutStatus } from "@weft/control/api/rollout-protocol";
import { rolloutSteps } from "./rollout-steps.ts";

const status = {
  stages: [
    { kind: "mirror", percent: 100 },
    { kind: "weight", percent: 25 },
    { kind: "weight", percent: 100 },
  ],
  stage: 1,
  isOver: false,
  elapsedMs: 15_000,
  intervalMs: 30_000,
} as unknown as RolloutStatus;

const states = (one: Partial<RolloutStatus>) => rolloutSteps({ ...status, ...one }).map(({ state }) => state);

test("what is over, what is measured and what comes are told apart", () => {
  assert.deepEqual(rolloutSteps(status), [
    { label: "copies", height: 0.04, state: "done", part: 1 },
    { label: "25 %", height: 0.25, state: "now", part: 0.5 },
    { label: "100 %", height: 1, state: "next", part: 0 },
  ]);
});

test("a rollout that is over is all done, or taken back up to where it failed", () => {
  assert.deepEqual(states({ isOver: true, outcome: "promoted", stage: 3 }), ["done", "done", "done"]);
  assert.deepEqual(states({ isOver: true, outcome: "rolled back" }), ["back", "back", "next"]);
});
