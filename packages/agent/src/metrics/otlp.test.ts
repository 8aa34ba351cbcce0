import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ExportMetricsServiceRequestSchema } from "@weft/xds/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb";
import { buildExport } from "./otlp.ts";
import { parsePrometheusText } from "./parse-prometheus-text.ts";

test("scraped series become cumulative points with the workload as their resource", () => {
  const families = parsePrometheusText(
    [
      "# TYPE istio_requests_total counter",
      'istio_requests_total{response_code="200"} 12',
      "# TYPE istio_request_duration_milliseconds histogram",
      'istio_request_duration_milliseconds_bucket{response_code="200",le="1"} 4',
      'istio_request_duration_milliseconds_bucket{response_code="200",le="+Inf"} 12',
      'istio_request_duration_milliseconds_sum{response_code="200"} 99.5',
      'istio_request_duration_milliseconds_count{response_code="200"} 12',
    ].join("\n"),
    () => true,
  );
  const message = create(
    ExportMetricsServiceRequestSchema,
    buildExport(families, { instance: "web-1", service: "web", namespace: "default", startMs: 1, nowMs: 2 }),
  );
  const [resource] = fromBinary(
    ExportMetricsServiceRequestSchema,
    toBinary(ExportMetricsServiceRequestSchema, message),
  ).resourceMetrics;
  const attributes = Object.fromEntries(
    resource!.resource!.attributes.map(({ key, value }) => [key, value?.value.value]),
  );
  assert.deepEqual(attributes, {
    "service.name": "web",
    "service.namespace": "default",
    "service.instance.id": "web-1",
  });
  const [counter, histogram] = resource!.instrumentationLibraryMetrics[0]!.metrics;
  assert.equal(counter?.name, "istio_requests_total");
  assert.ok(counter?.data.case === "sum" && counter.data.value.isMonotonic);
  const [point] = counter.data.value.dataPoints;
  assert.deepEqual(point?.value, { case: "asDouble", value: 12 });
  assert.equal(point?.startTimeUnixNano, 1_000_000n);
  assert.equal(point?.attributes[0]?.key, "response_code");
  assert.ok(histogram?.data.case === "histogram");
  const [distribution] = histogram.data.value.dataPoints;
  assert.deepEqual(distribution?.explicitBounds, [1]);
  assert.deepEqual(distribution?.bucketCounts, [4n, 8n]);
  assert.equal(distribution?.sum, 99.5);
});
