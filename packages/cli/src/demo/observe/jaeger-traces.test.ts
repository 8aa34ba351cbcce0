import assert from "node:assert/strict";
import { test } from "node:test";
import { gapOf, type JaegerSpan, type JaegerTrace, workloadsOf } from "./jaeger-traces.ts";

type Kind = "client" | "server";

function span(id: string, parent: string, service: string, kind: Kind): JaegerSpan {
  return {
    spanID: id,
    operationName: `${kind} of ${service}`,
    processID: service,
    startTime: 0,
    references: parent ? [{ spanID: parent }] : [],
    tags: [{ key: "span.kind", value: kind }],
  };
}

function trace(...spans: readonly JaegerSpan[]): JaegerTrace {
  const services = [...new Set(spans.map(({ processID }) => processID))];
  const processes = Object.fromEntries(services.map((name) => [name, { serviceName: `${name}.default` }]));
  return { traceID: "1", spans, processes };
}

const whole = [
  span("1", "", "web", "client"),
  span("2", "1", "page", "server"),
  span("3", "2", "page", "client"),
  span("4", "3", "reviews", "server"),
];

test("a trace from client to server of each service is whole", () => {
  assert.equal(gapOf(trace(...whole)), undefined);
  assert.deepEqual([...workloadsOf(trace(...whole))], ["web", "page", "reviews"]);
});

const broken: readonly [what: string, spans: readonly JaegerSpan[], gap: RegExp][] = [
  ["a span was lost", whole.filter(({ spanID }) => spanID !== "2"), /the span above "client of page"/],
  [
    "the application dropped the context",
    [...whole.slice(0, 2), span("3", "", "page", "client")],
    /2 roots|are 2/,
  ],
  ["a caller's sidecar did not trace", [whole[1]!, span("4", "2", "reviews", "server")], /the span above/],
  [
    "a server's span is below another server's",
    [span("2", "", "page", "server"), span("4", "2", "reviews", "server")],
    /a client's span above the server's of reviews/,
  ],
];
for (const [what, spans, gap] of broken) {
  test(`a trace is not whole where ${what}`, () => assert.match(gapOf(trace(...spans))!, gap));
}
