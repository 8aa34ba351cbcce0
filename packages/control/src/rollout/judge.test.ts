import assert from "node:assert/strict";
import { test } from "node:test";
import type { RolloutCriteria } from "../api/rollout-protocol.ts";
import { type Calls, noCalls } from "./calls.ts";
import { judge } from "./judge.ts";

const criteria: RolloutCriteria = { successPercent: 99, p99Ms: 300, minRequests: 10 };
const bounds = [10, 100, 300, 1_000];

function calls(requests: number, failures: number, slow = 0): Calls {
  return { requests, failures, durations: { bounds, counts: [requests - slow, 0, 0, slow, 0] } };
}

const cases: readonly [
  name: string,
  elapsedMs: number,
  canary: Calls,
  absentMs: number,
  verdict: string,
  why?: RegExp,
][] = [
  ["nothing before the interval is over", 29_999, calls(1_000, 0), 0, "open"],
  ["enough good calls at its end", 30_000, calls(1_000, 10), 0, "passed"],
  ["too many failures at its end", 30_000, calls(1_000, 11), 0, "failed", /98\.90 % of 1000/],
  ["a slow tail at its end", 30_000, calls(1_000, 0, 20), 0, "failed", /p99 is \d+ ms, more than 300 ms/],
  ["silence, which is no success", 30_000, noCalls, 0, "too few", /0 of at least 10/],
  ["a few good calls", 30_000, calls(9, 0), 0, "too few"],
  ["a few bad calls", 30_000, calls(9, 9), 0, "too few"],
  ["failures beyond doubt at once", 2_000, calls(20, 10), 0, "failed", /beyond doubt/],
  ["one failure among the first ten, which may be bad luck", 2_000, calls(10, 1), 0, "open"],
  [
    "slow calls beyond doubt at once",
    2_000,
    calls(40, 0, 40),
    0,
    "failed",
    /40 of 40 calls took more than 300 ms/,
  ],
  ["one slow call, which may be bad luck", 2_000, calls(10, 0, 1), 0, "open"],
  ["an instance that is away for a moment", 12_000, calls(20, 0), 5_000, "open"],
  ["nobody there any more", 12_000, calls(20, 0), 10_000, "failed", /no instance/],
];
for (const [name, elapsedMs, canary, absentMs, verdict, why] of cases) {
  test(`${name}: ${verdict}`, () => {
    const found = judge({ elapsedMs, canary, stable: noCalls, absentMs }, criteria, 30_000);
    assert.equal(found.t, verdict);
    if (why) assert.match("why" in found ? found.why : "", why);
  });
}

test("p99 is not met by calls of which nobody knows how long they took", () => {
  const unknown = { requests: 50, failures: 0, durations: undefined };
  const measurement = { elapsedMs: 30_000, canary: unknown, stable: noCalls, absentMs: 0 };
  assert.equal(judge(measurement, criteria, 30_000).t, "failed");
  assert.equal(judge(measurement, { successPercent: 99, minRequests: 10 }, 30_000).t, "passed");
});
