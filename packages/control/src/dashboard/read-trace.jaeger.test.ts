import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Jaeger, jaegerProgram, startJaeger } from "@weft/testkit/jaeger";
import { untilFound } from "@weft/testkit/until";
import { readTrace } from "./read-trace.ts";
import type { TraceReport } from "./view.ts";

const withJaeger = { skip: jaegerProgram ? false : "no Jaeger found" } as const;
const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";

let jaeger: Jaeger;
before(async () => {
  if (!withJaeger.skip) jaeger = await startJaeger();
});
after(() => jaeger?.close());

/** Spans as an OpenTelemetry exporter sends them, in JSON. */
async function send(service: string, spans: readonly object[]): Promise<void> {
  const resource = { attributes: [{ key: "service.name", value: { stringValue: service } }] };
  const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] });
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`http://127.0.0.1:${jaeger.httpPort}/v1/traces`, {
    method: "POST",
    headers,
    body,
  });
  assert.equal(answer.status, 200);
}

function eventually(isWhole: (trace: TraceReport) => boolean): Promise<TraceReport> {
  return untilFound("the trace has arrived", async () => {
    const trace = await readTrace(`${jaeger.queryUrl}/`, traceId).catch(() => undefined);
    return trace && isWhole(trace) ? trace : undefined;
  });
}

test("a trace of two services is read from Jaeger, failures and flags with it", withJaeger, async () => {
  const span = (spanId: string, parentSpanId: string, startMs: number, endMs: number) => ({
    traceId,
    spanId,
    parentSpanId,
    name: "reviews.default.svc.cluster.local:9080/*",
    kind: 2,
    startTimeUnixNano: `${1_700_000_000_000 + startMs}000000`,
    endTimeUnixNano: `${1_700_000_000_000 + endMs}000000`,
  });
  const attributes = [
    { key: "http.status_code", value: { stringValue: "503" } },
    { key: "response_flags", value: { stringValue: "UH" } },
  ];
  await send("productpage", [span("00f067aa0ba902b7", "", 0, 40)]);
  await send("reviews", [
    { ...span("00f067aa0ba902b8", "00f067aa0ba902b7", 10, 30), attributes, status: { code: 2 } },
  ]);
  const trace = await eventually(({ spans }) => spans.length === 2);
  assert.equal(trace.durationMs, 40);
  assert.equal(trace.link, `${jaeger.queryUrl}/trace/${traceId}`);
  const [outer, inner] = trace.spans;
  assert.deepEqual([outer!.service, outer!.depth, outer!.isFailed], ["productpage", 0, false]);
  assert.deepEqual([inner!.service, inner!.depth, inner!.startMs, inner!.isFailed], ["reviews", 1, 10, true]);
  assert.deepEqual(inner!.notes, ["status 503", "flags UH"]);
});

test("a trace that nobody sent is refused with the reason", withJaeger, async () => {
  await assert.rejects(readTrace(jaeger.queryUrl, "1".repeat(32)), /there is no trace|404/);
});
