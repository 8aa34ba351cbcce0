import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricRegistry } from "@weft/base/metric-registry";
import { exchange, request } from "../telemetry/exchange-fixture.ts";
import { beginTrace, type TracedExchange } from "./begin-trace.ts";
import { w3cPropagation } from "./trace-context.ts";
import type { TracingPlan } from "./tracing-plan.ts";

const never = { numerator: 0, denominator: 10_000 };
const counter = () => new MetricRegistry().counter("c", "").with();

const plan = (options: Partial<TracingPlan>): TracingPlan => ({
  sink: { report() {} },
  propagation: w3cPropagation,
  isNamedAfterHost: false,
  shares: { client: never, random: never, overall: { numerator: 10_000, denominator: 10_000 } },
  samplesById: true,
  marksId: true,
  customTags: [],
  maxPathTagLength: 256,
  spawnsUpstreamSpan: false,
  operation: undefined,
  upstreamOperation: undefined,
  node: { id: "", zone: "" },
  decisions: {
    "not-traceable": counter(),
    "random-sampling": counter(),
    "service-forced": counter(),
    "client-enabled": counter(),
  },
  ...options,
});

const id = "1f2e3d4c-0000-4000-8000-000000000000";

function begun(options: Partial<TracingPlan>, headers: Readonly<Record<string, string>> = {}) {
  const made = { ...exchange({ request: request(headers) }), requestId: id, operationForCaller: "" };
  const traced = { ...made, trace: undefined, isTraceForced: false } as TracedExchange;
  beginTrace(traced, plan(options), () => 0.5);
  return traced;
}

test("a request id decides, and is marked with the decision unless that is turned off", () => {
  const all = { client: never, random: { numerator: 10_000, denominator: 10_000 }, overall: never };
  const shares = { ...all, overall: all.random };
  assert.equal(begun({}).trace, undefined);
  assert.equal(begun({ shares }).requestId[14], "9");
  assert.ok(begun({ shares }).trace);
  assert.equal(begun({ shares, marksId: false }).requestId, id);
});

test("without the request id every request is chosen but those whose caller was not, and no id is changed", () => {
  const chosen = begun({ samplesById: false });
  assert.ok(chosen.trace);
  assert.equal(chosen.requestId, id);
  const context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
  assert.equal(begun({ samplesById: false }, { traceparent: context }).trace, undefined);
});
