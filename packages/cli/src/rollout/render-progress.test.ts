import assert from "node:assert/strict";
import { test } from "node:test";
import type { RolloutStatus } from "@weft/control/api/rollout-protocol";
import { eventLine, renderProgress } from "./render-progress.ts";

const status: RolloutStatus = {
  id: 1,
  namespace: "default",
  service: "reviews",
  from: "v1",
  to: "v3",
  route: { kind: "VirtualService", namespace: "default", name: "reviews" },
  phase: "Progressing",
  isOver: false,
  isPaused: false,
  stages: [5, 25, 50, 100].map((percent) => ({ kind: "weight", percent })),
  stage: 1,
  weight: 25,
  actualShare: 0.2461,
  failedChecks: 0,
  threshold: 1,
  criteria: { successPercent: 99, p99Ms: 300, minRequests: 10 },
  intervalMs: 30_000,
  elapsedMs: 15_000,
  canary: { requests: 312, failures: 0, p99Ms: 21 },
  stable: { requests: 956, failures: 1, p99Ms: 19 },
  startedAtMs: 0,
  changedAtMs: 0,
  startedBy: "local",
  revision: 3,
  events: [],
};

test("the bar shows the steps that are done and how far the current one is", () => {
  assert.deepEqual(renderProgress(status, 200), [
    "reviews v1 → v3  █████████░░░░░░░░░░░░░░░  25 %, it gets 24.61%  Progressing, step 2 of 4",
    "  v3       312 calls, 100.00% succeeded, p99 21ms",
    "  v1       956 calls, 99.90% succeeded, p99 19ms",
    "  15 of 30 s; wanted: success ≥ 99 %, p99 ≤ 300 ms, ≥ 10 calls",
  ]);
});

test("the webhook that holds it is named, with what it said", () => {
  const waitingFor = "confirm-promotion webhook gate answered 403: closed\n\u001b[2J";
  assert.equal(
    renderProgress({ ...status, waitingFor }, 200).at(-1),
    "  waits: confirm-promotion webhook gate answered 403: closed [2J",
  );
});

test("a rollout that is over has a full bar only when it was promoted", () => {
  const { elapsedMs: _, canary: __, stable: ___, actualShare: ____, ...over } = { ...status, isOver: true };
  const [promoted] = renderProgress({ ...over, phase: "Succeeded", outcome: "promoted", stage: 4 }, 200);
  assert.match(promoted!, /█{24} {2}25 % {2}Succeeded, promotion/);
  const [back] = renderProgress({ ...over, phase: "Failed", outcome: "rolled back", weight: 0 }, 200);
  assert.match(back!, /█{6}░{18} {2}0 % {2}Failed, step 2 of 4/);
});

test("no line is wider than the terminal", () => {
  for (const line of renderProgress(status, 40)) assert.ok(line.length <= 40, line);
});

test("what a proxy says cannot move the cursor", () => {
  const event = { number: 3, atMs: 0, kind: "failed", message: "no\u001b[2J\nroute", weight: 25 } as const;
  assert.match(eventLine(event, status), /failed: no \[2J route$/);
});

test("an event has its share, and the numbers it was judged by", () => {
  const { canary, stable } = status;
  const event = { number: 3, atMs: 0, kind: "passed", message: "step 2 of 4: passed", weight: 25 } as const;
  assert.match(
    eventLine({ ...event, canary, stable }, status),
    / {2} 25 % {2}passed: step 2 of 4: passed; v3: 312 calls, 100\.00% succeeded, p99 21ms; v1: 956 calls/,
  );
});
