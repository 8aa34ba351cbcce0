import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderList } from "../layer/header-list.ts";
import type { RequestHead } from "../layer/message.ts";
import { forwardTo, retryPlan } from "../listener/test-proxy.ts";
import { routeLimits } from "../route/call-limits.ts";
import type { ForwardAction } from "../route/route-plan.ts";
import type { StreamDuration } from "../route/stream-duration.ts";
import { formatGrpcTimeout, parseGrpcTimeout, streamDurationMs } from "./grpc-timeout.ts";
import { limitsOf, retryOf, takeInstructions } from "./request-instructions.ts";

function head(fields: Readonly<Record<string, string>>): RequestHead {
  return {
    method: "GET",
    path: "/",
    authority: "a",
    scheme: "http",
    headers: new HeaderList(Object.entries(fields).flat()),
    upgrade: "",
  };
}

const retry = retryPlan({ is5xx: true }, { numRetries: 2, perTryTimeoutMs: 500 });
const route = forwardTo("up", { limits: routeLimits(3_000, retry, false), retry });

test("instructions are taken out of the request, what they are beside stays", () => {
  const request = head({
    a: "1",
    "x-envoy-retry-on": "5xx",
    "x-envoy-original-path": "/",
    "x-envoy-max-retries": "7",
  });
  assert.deepEqual(takeInstructions(request.headers), { retryOn: "5xx", maxRetries: "7" });
  assert.deepEqual(request.headers.flat, ["a", "1", "x-envoy-original-path", "/"]);
  assert.equal(takeInstructions(request.headers), undefined);
});

test("a caller's limits take the place of the route's", () => {
  const grpc = { "content-type": "application/grpc" };
  const bound: ForwardAction = { ...route, grpcTimeout: { maxMs: 8_000, offsetMs: 1_000 } };
  const open: ForwardAction = { ...route, grpcTimeout: { maxMs: 0, offsetMs: 0 } };
  const cases: readonly (readonly [ForwardAction, Readonly<Record<string, string>>, number, number])[] = [
    [route, {}, 3_000, 500],
    [route, { "x-envoy-upstream-rq-timeout-ms": "400" }, 400, 0],
    [route, { "x-envoy-upstream-rq-timeout-ms": "0" }, 0, 500],
    [route, { "x-envoy-upstream-rq-timeout-ms": "soon" }, 3_000, 500],
    [route, { "x-envoy-upstream-rq-timeout-ms": "99999999999" }, 3_000, 500],
    [route, { "x-envoy-upstream-rq-per-try-timeout-ms": "200" }, 3_000, 200],
    [route, { "x-envoy-upstream-rq-per-try-timeout-ms": "3000" }, 3_000, 0],
    [route, { "x-envoy-expected-rq-timeout-ms": "250" }, 250, 0],
    [bound, { ...grpc, "grpc-timeout": "5S" }, 4_000, 500],
    [bound, { ...grpc, "grpc-timeout": "500m" }, 500, 0],
    [bound, { ...grpc, "grpc-timeout": "1H" }, 8_000, 500],
    [bound, grpc, 8_000, 500],
    [open, grpc, 0, 500],
    [bound, { "grpc-timeout": "5S" }, 3_000, 500],
  ];
  for (const [action, fields, timeoutMs, perTryTimeoutMs] of cases) {
    const request = head(fields);
    const limits = limitsOf(action, request, takeInstructions(request.headers), true);
    assert.deepEqual(
      [limits.timeoutMs, limits.perTryTimeoutMs],
      [timeoutMs, perTryTimeoutMs],
      JSON.stringify(fields),
    );
  }
  assert.equal(
    limitsOf(route, head({}), undefined, true),
    route.limits,
    "nothing is made where nothing is asked",
  );
  assert.equal(
    limitsOf(route, head({ "x-envoy-expected-rq-timeout-ms": "250" }), undefined, false),
    route.limits,
    "an expected timeout counts only where the router is told to respect it",
  );
});

test("a caller may hedge, or have it left, and choose how a timeout is answered", () => {
  const limits = (fields: Readonly<Record<string, string>>, hedges: boolean) => {
    const request = head(fields);
    const action = { ...route, limits: routeLimits(3_000, retry, hedges) };
    return limitsOf(action, request, takeInstructions(request.headers), false);
  };
  assert.equal(limits({ "x-envoy-hedge-on-per-try-timeout": "true" }, false).hedgesOnTimeout, true);
  assert.equal(limits({ "x-envoy-hedge-on-per-try-timeout": "false" }, true).hedgesOnTimeout, false);
  assert.equal(limits({ "x-envoy-hedge-on-per-try-timeout": "perhaps" }, true).hedgesOnTimeout, true);
  assert.equal(limits({ "x-envoy-upstream-rq-timeout-alt-response": "" }, false).timeoutStatus, 204);
});

test("a caller's conditions are added to the policy's", () => {
  const fields = {
    "x-envoy-retry-on": "retriable-status-codes, retriable-headers,nonsense",
    "x-envoy-retry-grpc-on": "unavailable",
    "x-envoy-max-retries": "9",
    "x-envoy-retriable-status-codes": "418, 425",
    "x-envoy-retriable-header-names": "X-Again",
  };
  const request = head(fields);
  const plan = retryOf(retry, request, takeInstructions(request.headers))!;
  assert.ok(plan.on.is5xx && plan.on.retriableStatuses && plan.on.retriableHeaders);
  assert.deepEqual([...plan.on.grpcStatuses!], [14]);
  assert.deepEqual([...plan.statuses], [418, 425]);
  assert.equal(plan.numRetries, 9);
  assert.equal(plan.headers[0]!(new HeaderList(["x-again", ""])), true);
});

test("without a policy a caller's conditions stand alone, and other instructions retry nothing", () => {
  const ask = (fields: Readonly<Record<string, string>>) => {
    const request = head(fields);
    return retryOf(undefined, request, takeInstructions(request.headers));
  };
  assert.equal(ask({ "x-envoy-retry-on": "5xx" })?.numRetries, 1);
  assert.equal(ask({ "x-envoy-max-retries": "3" }), undefined);
  assert.equal(ask({ "x-envoy-retry-on": "nonsense" }), undefined);
  assert.equal(ask({}), undefined);
});

test("a policy for certain requests is none for others, whatever the caller asks", () => {
  const policy = { ...retry, appliesTo: (request: RequestHead) => request.headers.has("x-retry-me") };
  assert.equal(retryOf(policy, head({}), undefined), undefined);
  assert.equal(retryOf(policy, head({ "x-retry-me": "" }), undefined), policy);
  assert.equal(retryOf(policy, head({}), { retryOn: "5xx" }), undefined);
});

test("a limit of the whole exchange follows grpc-timeout of gRPC requests, and the upstream is told", () => {
  const limit = { maxMs: 5_000, grpcMaxMs: 400, grpcOffsetMs: 100 };
  const cases: readonly (readonly [StreamDuration, string | undefined, number, string | undefined])[] = [
    [limit, "250m", 150, "150m"],
    [limit, "5S", 300, "300m"],
    [limit, "50m", 1, "0m"],
    [limit, "0m", 1, "0m"],
    [limit, undefined, 5_000, "5000m"],
    [limit, "soon", 5_000, "5000m"],
    [{ ...limit, grpcMaxMs: 0 }, "5S", 4_900, "4900m"],
    [{ ...limit, grpcMaxMs: undefined }, "1S", 5_000, "5000m"],
    [{ ...limit, maxMs: undefined, grpcMaxMs: undefined }, "1S", 0, "1S"],
  ];
  for (const [duration, asked, durationMs, told] of cases) {
    const timeout: Record<string, string> = asked === undefined ? {} : { "grpc-timeout": asked };
    const request = head({ "content-type": "application/grpc", ...timeout });
    assert.equal(streamDurationMs(duration, request, 0), durationMs, asked);
    assert.equal(request.headers.get("grpc-timeout"), told, asked);
  }
  assert.equal(streamDurationMs(limit, head({ "grpc-timeout": "1m" }), 0), 5_000, "of gRPC requests only");
  assert.equal(streamDurationMs({ ...limit, maxMs: undefined }, head({}), 700), 700, "the manager's");
});

test("grpc-timeout is read in every unit and written in the finest that fits", () => {
  const cases = [
    ["1H", 3_600_000, "3600000m"],
    ["2M", 120_000, "120000m"],
    ["3S", 3_000, "3000m"],
    ["1500u", 2, "2m"],
    ["1n", 1, "1m"],
    ["99999999S", 99_999_999_000, "99999999S"],
    ["99999999M", 5_999_999_940_000, "99999999M"],
    ["99999999H", 359_999_996_400_000, "99999999H"],
  ] as const;
  for (const [text, timeoutMs, written] of cases) {
    assert.equal(parseGrpcTimeout(text), timeoutMs);
    assert.equal(formatGrpcTimeout(timeoutMs), written);
  }
  for (const bad of ["", "1", "S", "1.5S", "-1S", "123456789S", "1s", "1 S"]) {
    assert.equal(parseGrpcTimeout(bad), undefined, bad);
  }
});
