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
const ground = { service: "api", to: "v3", workloads: ["api-v3"], resources: [] };
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
    const request = canaryRequest(canary as ResourceOf<"Canary">, ground);
    for (const [field, value] of Object.entries(wanted)) {
      assert.deepEqual(request[field as keyof typeof request], value, field);
    }
  });
}

test("webhooks, metrics and alerts become what the rollout asks, with templates filled in", () => {
  const text = `apiVersion: flagger.app/v1beta1
kind: Canary
metadata: { name: canary, namespace: shop }
spec:
  targetRef: { apiVersion: apps/v1, kind: Deployment, name: api }
  metricsServer: http://prometheus.shop:9090
  analysis:
    interval: 1m
    threshold: 2
    stepWeights: [50]
    webhooks:
      - { name: gate, type: confirm-promotion, url: "https://gate.example/x", timeout: 5s, retries: 3, muteAlert: true }
      - { name: load, url: "https://load.example/", metadata: { cmd: "hey" } }
    metrics:
      - { name: request-success-rate, thresholdRange: { min: 99 } }
      - { name: lag, query: 'max(lag{app="{{ service }}"}[{{ interval }}])', interval: 30s, thresholdRange: { max: 5 } }
      - name: errors
        templateRef: { name: errors, namespace: mesh }
        templateVariables: { code: "5.." }
        thresholdRange: { max: 1 }
    alerts:
      - { name: on-call, severity: error, providerRef: { name: chat } }
---
apiVersion: flagger.app/v1beta1
kind: MetricTemplate
metadata: { name: errors, namespace: mesh }
spec:
  provider: { type: prometheus, address: "https://metrics.example" }
  query: >-
    sum(rate(e{n="{{ namespace }}",w=~"{{target}}",c=~"{{ variables.code }}",i="{{- name -}}"}[{{ interval }}]))
---
apiVersion: flagger.app/v1beta1
kind: AlertProvider
metadata: { name: chat, namespace: shop }
spec: { type: slack, address: "https://hooks.example/T/B", channel: alerts, username: weft }
`;
  const { resources, diagnostics } = parseConfig([{ name: "canary.yaml", text }]);
  assert.deepEqual(
    diagnostics.filter(({ severity }) => severity === "error"),
    [],
  );
  const canary = resources.find(({ kind }) => kind === "Canary") as ResourceOf<"Canary">;
  const request = canaryRequest(canary, { ...ground, workloads: ["api-v3", "api-v3b"], resources });
  assert.equal(request.name, "canary");
  assert.deepEqual(request.criteria, { successPercent: 99, minRequests: 10 });
  assert.deepEqual(request.webhooks, [
    {
      name: "gate",
      type: "confirm-promotion",
      url: "https://gate.example/x",
      timeoutMs: 5_000,
      retries: 3,
      isMuted: true,
    },
    {
      name: "load",
      type: "rollout",
      url: "https://load.example/",
      timeoutMs: 10_000,
      retries: 0,
      metadata: { cmd: "hey" },
    },
  ]);
  assert.deepEqual(request.queries, [
    { name: "lag", query: 'max(lag{app="api"}[30s])', url: "http://prometheus.shop:9090", max: 5 },
    {
      name: "errors",
      query: 'sum(rate(e{n="shop",w=~"api-v3|api-v3b",c=~"5..",i="canary"}[1m]))',
      url: "https://metrics.example",
      max: 1,
    },
  ]);
  assert.deepEqual(request.alerts, [
    {
      name: "on-call",
      type: "slack",
      url: "https://hooks.example/T/B",
      severity: "error",
      channel: "alerts",
      username: "weft",
    },
  ]);
  const alone = () => canaryRequest(canary, ground);
  assert.throws(alone, { message: "there is no MetricTemplate mesh/errors" });
});
