import assert from "node:assert/strict";
import { test } from "node:test";
import type { StartRollout } from "../api/rollout-protocol.ts";
import { checkRequest } from "./check-request.ts";

const good: StartRollout = {
  namespace: "default",
  service: "reviews",
  to: "v3",
  steps: [5, 100],
  intervalMs: 30_000,
  criteria: { successPercent: 99, minRequests: 10 },
  threshold: 1,
  deadlineMs: 0,
  iterations: 1,
  ackTimeoutMs: 30_000,
};
const match = (one: object) => ({ match: [{ headers: { "x-canary": one } }] });

const alone = { hasPrometheus: false };
const query = { name: "lag", query: "up" };
const hook = { name: "gate", type: "rollout", timeoutMs: 100, retries: 0 } as const;

test("a metric is asked of its own Prometheus, or of the control plane's", () => {
  checkRequest({ ...good, queries: [{ ...query, url: "http://prometheus:9090" }] }, alone);
  checkRequest({ ...good, queries: [query] }, { hasPrometheus: true });
});

test("shares, copies and matching requests are each enough", () => {
  checkRequest(good, alone);
  checkRequest({ ...good, steps: [], mirrorPercent: 20 }, alone);
  checkRequest({ ...good, steps: [], ...match({ regex: "in.*" }) }, alone);
});

const refused: readonly (readonly [string, Partial<StartRollout>, RegExp])[] = [
  ["steps that fall", { steps: [50, 25] }, /each is more than the one before/],
  ["nothing to do", { steps: [] }, /there are none/],
  ["a pattern that is none", match({ regex: "(" }), /RE2/],
  ["two patterns at once", match({ exact: "a", prefix: "b" }), /one of exact, prefix and regex/],
  ["a header that is none", { match: [{ headers: { "x y": { exact: "a" } } }] }, /not a header name/],
  ["a metric of no Prometheus", { queries: [query] }, /metric lag names no Prometheus/],
  [
    "a webhook that is no URL",
    { webhooks: [{ ...hook, url: "gate:80" }] },
    /gate: "gate:80" is no http or https/,
  ],
  ["a match of nothing", { match: [{ headers: {} }] }, /asks for nothing/],
];
for (const [name, change, message] of refused) {
  test(`refuses ${name}`, () => assert.throws(() => checkRequest({ ...good, ...change }, alone), message));
}
