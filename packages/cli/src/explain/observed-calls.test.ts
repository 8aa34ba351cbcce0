import assert from "node:assert/strict";
import { test } from "node:test";
import type { RecalledRequest } from "@weft/control/api/observe-protocol";
import { observedRequest } from "@weft/proxy/observe/observed-request-fixture";
import { observedCalls } from "./observed-calls.ts";

function seen(
  workload: string,
  direction: string,
  to: string,
  startedMs: number,
  more = {},
): RecalledRequest {
  const destination = { workload: `${to}.default`, version: "", identity: "" };
  return { workload, request: observedRequest({ direction, destination, startedMs, ...more }) };
}

test("both ends of each hop are put together, in the order of the calls", () => {
  const calls = observedCalls("r", [
    seen("reviews-1.default", "outbound", "ratings", 20, { downstreamLocal: "240.240.0.9:9080" }),
    seen("ratings-1.default", "inbound", "ratings", 21),
    seen("web-1.default", "outbound", "reviews", 10, { durationMs: 50 }),
    seen("reviews-1.default", "inbound", "reviews", 11, { durationMs: 40 }),
  ]);
  assert.deepEqual(
    calls.map(({ outbound, inbound }) => [outbound?.workload, inbound?.workload]),
    [
      ["web-1.default", "reviews-1.default"],
      ["reviews-1.default", "ratings-1.default"],
    ],
  );
  assert.deepEqual(calls[1]!.question.arrived, { address: "240.240.0.9", port: 9080 });
});

test("a call that only its callee remembers is asked about as its caller's", () => {
  const source = { workload: "web.default", version: "", identity: "spiffe://x/ns/default/sa/web" };
  const [only] = observedCalls("r", [seen("reviews-1.default", "inbound", "reviews", 1, { source })]);
  assert.equal(only!.question.from, "web.default");
  assert.equal(only!.question.arrived, undefined);
  assert.throws(
    () => observedCalls("r", [seen("reviews-1.default", "inbound", "reviews", 1)]),
    /came from outside the mesh/,
  );
});

test("what was not kept is named, and what proxies add is not asked again", () => {
  const headers = ["cookie", "***", "end-user", "jason", "x-envoy-attempt-count", "1", "x-request-id", "r"];
  const [only] = observedCalls("r", [
    seen("web-1.default", "outbound", "reviews", 1, { headers, path: "/a?token=***" }),
  ]);
  assert.deepEqual(only!.question.headers, [
    "end-user",
    "jason",
    "x-request-id",
    "r",
    "host",
    "reviews:9080",
  ]);
  assert.deepEqual(only!.unknown, ["cookie", "a part of its query"]);
});
