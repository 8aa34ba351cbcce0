import assert from "node:assert/strict";
import { test } from "node:test";
import { exchange } from "../telemetry/exchange-fixture.ts";
import { ExchangeTrace } from "./exchange-trace.ts";
import { w3cPropagation } from "./trace-context.ts";
import type { Span, TracingPlan } from "./tracing-plan.ts";

test("machines whose clocks are an hour apart make one trace, and each span is as long as it took", () => {
  const spans: Span[] = [];
  const plan = {
    sink: { report: (span) => void spans.push(span) },
    propagation: w3cPropagation,
    isNamedAfterHost: false,
    customTags: [],
    maxPathTagLength: 256,
    spawnsUpstreamSpan: false,
    node: { id: "", zone: "" },
  } as Partial<TracingPlan> as TracingPlan;
  const callerMs = Date.UTC(2026, 0, 2, 12);
  const caller = w3cPropagation.span(undefined, false);
  new ExchangeTrace(plan, caller, undefined, "caller").finish(
    exchange({ startEpochMs: callerMs, startMs: 5_000, endMs: 5_040 }),
  );
  const parent = { ...caller, isSampled: true, traceState: "" };
  // An hour behind, and its own clock was set back while the request was under way.
  new ExchangeTrace(plan, w3cPropagation.span(parent, true), parent, "callee").finish(
    exchange({ startEpochMs: callerMs - 3_600_000, startMs: 90, endMs: 120 }),
  );
  const [first, second] = spans;
  assert.equal(second!.traceId, first!.traceId);
  assert.equal(second!.parentId, first!.spanId);
  assert.deepEqual(
    spans.map(({ startMs, endMs }) => endMs - startMs),
    [40, 30],
  );
});
