import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../config/parse-config.ts";
import type { ResourceOf } from "../config/resource.ts";
import { begunCanary, type CanarySight, type CanaryState, nextCanary } from "./canary.ts";
import { canaryRequest } from "./canary-request.ts";

const sight = (present: readonly string[], more: Partial<CanarySight> = {}): CanarySight => ({
  present,
  registered: present,
  rollout: undefined,
  isSuspended: false,
  ...more,
});
const initial = nextCanary(undefined, sight(["v1", "v2"]), 0).state;
const rolloutTo = (version: string, activity: object) =>
  ({ plan: { canary: { version } }, activity }) as unknown as NonNullable<CanarySight["rollout"]>;

test("what is there when a Canary is made is known, and the next version is new", () => {
  assert.deepEqual([initial.phase, initial.known], ["Initialized", ["v1", "v2"]]);
  assert.equal(nextCanary(initial, sight(["v1", "v2"]), 1).start, undefined);
  assert.equal(nextCanary(initial, sight(["v1"]), 1).start, undefined, "one that leaves is not new");
  assert.equal(nextCanary(initial, sight(["v1", "v2", "v3"]), 1).start, "v3");
  const two = nextCanary(initial, sight(["v1", "v3", "v4"]), 1);
  assert.deepEqual([two.start, two.state.phase], [undefined, "Waiting"]);
  assert.equal(nextCanary(initial, sight(["v1", "v3"], { isSuspended: true }), 1).start, undefined);
});

function ended(outcome: string): CanaryState {
  const begun = begunCanary(initial, "v3", 1);
  const running = sight(["v1", "v3", "v4"], { rollout: rolloutTo("v3", { t: "measure" }) });
  assert.deepEqual(nextCanary(begun, running, 2), { state: begun }, "nothing else is begun meanwhile");
  return nextCanary(begun, sight(["v1", "v3"], { rollout: rolloutTo("v3", { t: "over", outcome }) }), 3)
    .state;
}

test("a version that was promoted is known for good", () => {
  const state = ended("promoted");
  assert.deepEqual([state.phase, state.promoted], ["Succeeded", "v3"]);
  assert.equal(
    nextCanary(nextCanary(state, sight(["v1"]), 4).state, sight(["v1", "v3"]), 5).start,
    undefined,
  );
});

test("a version that failed is tried again when it has left and comes back", () => {
  const state = ended("rolled back");
  assert.equal(state.phase, "Failed");
  assert.equal(nextCanary(state, sight(["v1", "v3"]), 4).start, undefined);
  const unhealthy = sight(["v1"], { registered: ["v1", "v3"] });
  assert.equal(nextCanary(nextCanary(state, unhealthy, 4).state, sight(["v1", "v3"]), 5).start, undefined);
  assert.equal(nextCanary(nextCanary(state, sight(["v1"]), 4).state, sight(["v1", "v3"]), 5).start, "v3");
});

const requests: readonly (readonly [string, object])[] = [
  [
    "{ stepWeight: 20, maxWeight: 50, interval: 30s, threshold: 3, metrics: [{ name: request-success-rate, thresholdRange: { min: 98 } }, { name: request-duration, threshold: 400 }] }",
    {
      steps: [20, 40, 50],
      intervalMs: 30_000,
      threshold: 3,
      criteria: { successPercent: 98, p99Ms: 400, minRequests: 10 },
    },
  ],
  [
    "{ stepWeights: [1, 100], mirror: true }",
    { steps: [1, 100], mirrorPercent: 100, iterations: 1, intervalMs: 60_000 },
  ],
  [
    "{ iterations: 4, match: [{ sourceLabels: { app: web } }] }",
    { steps: [], iterations: 4, match: [{ sourceLabels: { app: "web" } }], threshold: 1 },
  ],
];
for (const [analysis, wanted] of requests) {
  test(`${analysis.slice(0, 60)} asks for what it says`, () => {
    const text = `apiVersion: flagger.app/v1beta1
kind: Canary
metadata: { name: api }
spec:
  targetRef: { apiVersion: apps/v1, kind: Deployment, name: api }
  analysis: ${analysis.includes("interval") ? analysis : analysis.replace("{ ", "{ interval: 1m, threshold: 1, ")}
`;
    const [canary] = parseConfig([{ name: "canary.yaml", text }]).resources;
    const request = canaryRequest(canary as ResourceOf<"Canary">, "api", "v3");
    for (const [field, value] of Object.entries(wanted)) {
      assert.deepEqual(request[field as keyof typeof request], value, field);
    }
  });
}
