import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ExportMetricsServiceRequestSchema } from "@weft/xds/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb";
import {
  AggregationTemporality,
  type MetricSchema,
} from "@weft/xds/gen/opentelemetry/proto/metrics/v1/metrics_pb";
import { decodeOtlp } from "./decode-otlp.ts";

const text = (key: string, value: string) => ({
  key,
  value: { value: { case: "stringValue" as const, value } },
});
const labels = [text("reporter", "destination"), text("response_code", "200"), text("pod", "x")];

function exported(...metrics: MessageInitShape<typeof MetricSchema>[]) {
  return create(ExportMetricsServiceRequestSchema, {
    resourceMetrics: [
      {
        resource: { attributes: [text("service.instance.id", "reviews-v1-7f3a")] },
        instrumentationLibraryMetrics: [{ metrics }],
      },
    ],
  });
}

function sum(value: number, aggregationTemporality = AggregationTemporality.CUMULATIVE) {
  const dataPoints = [{ attributes: labels, value: { case: "asDouble" as const, value } }];
  return { case: "sum" as const, value: { aggregationTemporality, dataPoints } };
}

test("counters keep the labels that matter, and the export names its instance", () => {
  const decoded = decodeOtlp(exported({ name: "istio_requests_total", data: sum(7) }));
  assert.equal(decoded.instance, "reviews-v1-7f3a");
  assert.deepEqual(decoded.samples, [
    { metric: "istio_requests_total", labels: { reporter: "destination", response_code: "200" }, value: 7 },
  ]);
});

test("histograms keep their bounds and counts", () => {
  const point = { attributes: labels, count: 3n, bucketCounts: [1n, 2n, 0n], explicitBounds: [1, 5] };
  const [sample] = decodeOtlp(
    exported({
      name: "istio_request_duration_milliseconds",
      data: {
        case: "histogram",
        value: { aggregationTemporality: AggregationTemporality.CUMULATIVE, dataPoints: [point] },
      },
    }),
  ).samples;
  assert.equal(sample!.value, 3);
  assert.deepEqual(sample!.buckets, { bounds: [1, 5], counts: [1, 2, 0] });
});

const skipped: readonly (readonly [string, MessageInitShape<typeof MetricSchema>])[] = [
  ["metrics nobody asked for", { name: "process_cpu_seconds_total", data: sum(1) }],
  ["deltas", { name: "istio_requests_total", data: sum(1, AggregationTemporality.DELTA) }],
  ["a negative count", { name: "istio_requests_total", data: sum(-1) }],
  ["a count that is no number", { name: "istio_requests_total", data: sum(Number.NaN) }],
  [
    "a histogram whose buckets do not fit its bounds",
    {
      name: "istio_request_duration_milliseconds",
      data: {
        case: "histogram",
        value: {
          aggregationTemporality: AggregationTemporality.CUMULATIVE,
          dataPoints: [{ count: 1n, bucketCounts: [1n], explicitBounds: [1, 5] }],
        },
      },
    },
  ],
];
for (const [name, metric] of skipped) {
  test(`skips ${name}`, () => assert.deepEqual(decodeOtlp(exported(metric)).samples, []));
}

test("of what a caller reports only calls without an answer, and to servers without certificate, are kept", () => {
  const reached = "spiffe://cluster.local/ns/default/sa/reviews";
  const seen = (reporter: string, flags: string, principal = reached) => ({
    attributes: [
      text("destination_principal", principal),
      text("reporter", reporter),
      text("response_flags", flags),
      text("destination_service", "reviews.default.svc.cluster.local"),
    ],
    value: { case: "asDouble" as const, value: 1 },
  });
  const dataPoints = [
    seen("source", "-"),
    seen("source", "-", "unknown"),
    seen("source", "UH", "unknown"),
    seen("destination", "UH"),
    seen("destination", "-"),
  ];
  const data = {
    case: "sum" as const,
    value: { aggregationTemporality: AggregationTemporality.CUMULATIVE, dataPoints },
  };
  const uncertified = {
    destination_service: "reviews.default.svc.cluster.local",
    destination_principal: "unknown",
  };
  assert.deepEqual(
    decodeOtlp(exported({ name: "istio_requests_total", data })).samples.map((sample) => sample.labels),
    [
      { reporter: "source", response_flags: "-", ...uncertified },
      { reporter: "source", response_flags: "UH", ...uncertified },
      { reporter: "destination", response_flags: "UH" },
      { reporter: "destination" },
    ],
    "and a destination's series are no more for it",
  );
});
