import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricRegistry } from "@weft/base/metric-registry";
import { renderPrometheusText } from "@weft/base/prometheus-text";
import fc from "@weft/testkit/properties";
import { parsePrometheusText } from "./parse-prometheus-text.ts";

const any = () => true;

test("counters, gauges and histograms come back as they were rendered", () => {
  const registry = new MetricRegistry();
  registry.counter("istio_requests_total", "", ["path", "code"]).with('a"b\\c\nd,e="f"', "200").add(7);
  registry.gauge("istio_build", "", []).with().set(-1.5);
  const histogram = registry
    .histogram("istio_request_duration_milliseconds", "", [1, 5], ["code"])
    .with("200");
  for (const value of [0.5, 3, 4, 100]) histogram.observe(value);
  const families = parsePrometheusText(renderPrometheusText(registry), any);
  assert.deepEqual(families, [
    {
      name: "istio_requests_total",
      kind: "counter",
      series: [{ labels: { path: 'a"b\\c\nd,e="f"', code: "200" }, value: 7 }],
    },
    { name: "istio_build", kind: "gauge", series: [{ labels: {}, value: -1.5 }] },
    {
      name: "istio_request_duration_milliseconds",
      kind: "histogram",
      series: [
        {
          labels: { code: "200" },
          value: 0,
          histogram: { bounds: [1, 5], counts: [1, 2, 1], sum: 107.5, count: 4 },
        },
      ],
    },
  ]);
});

test("families that were not asked for are left out, and an odd line costs only itself", () => {
  const text = [
    "# TYPE istio_a counter",
    'istio_a{x="1"} 1',
    'istio_a{x="1" garbage} 2',
    "istio_a nonsense",
    "# TYPE envoy_b counter",
    "envoy_b 3",
  ].join("\n");
  assert.deepEqual(
    parsePrometheusText(text, (name) => name.startsWith("istio_")),
    [{ name: "istio_a", kind: "counter", series: [{ labels: { x: "1" }, value: 1 }] }],
  );
});

test("any text is read without throwing", () => {
  fc.assert(
    fc.property(
      fc.string(),
      (text) => void parsePrometheusText(`# TYPE a histogram\n${text}\na_bucket{${text}} 1`, any),
    ),
  );
});
