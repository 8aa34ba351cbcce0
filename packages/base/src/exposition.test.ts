import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import type { Clock } from "./clock.ts";
import { exposition, negotiateFormat, prefersProtobuf } from "./exposition.ts";
import { MetricRegistry } from "./metric-registry.ts";
import { renderPrometheusText } from "./prometheus-text.ts";
import { startSeriesExpiry } from "./series-expiry.ts";
import { tellOverflows } from "./series-overflow.ts";

const openMetrics = (registry: MetricRegistry) => [...exposition(registry, "openmetrics")].join("");

describe("the format", () => {
  const prometheus =
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
  const cases: readonly [accept: string | undefined, expected: string][] = [
    [undefined, "text"],
    ["", "text"],
    ["*/*", "text"],
    ["text/plain", "text"],
    [prometheus, "openmetrics"],
    ["application/openmetrics-text", "openmetrics"],
    ["application/openmetrics-text; version=2.0.0, text/plain;q=0.1", "text"],
    ["application/openmetrics-text;q=0.1, text/plain;q=0.5", "text"],
    ["application/openmetrics-text;q=0", "text"],
    ["application/openmetrics-text;q=x", "text"],
  ];
  for (const [accept, expected] of cases) {
    it(`is ${expected} for ${accept ?? "no accept"}`, () => {
      assert.equal(negotiateFormat(accept), expected);
    });
  }
});

test("messages are taken where they are preferred to text, in the one way that they are written", () => {
  const messages =
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
  assert.equal(prefersProtobuf(`${messages},application/openmetrics-text;q=0.8,text/plain;q=0.5`), true);
  assert.equal(prefersProtobuf(`${messages};q=0.1,text/plain`), false);
  assert.equal(prefersProtobuf("application/vnd.google.protobuf;encoding=text"), false);
  assert.equal(prefersProtobuf(undefined), false);
});

test("OpenMetrics has exemplars, its own names of counters, and an end", () => {
  const registry = new MetricRegistry();
  registry.counter("calls_total", 'Calls "x".', ["to"]).with("b").add(3);
  registry.counter("calls_failed", "").with().add(1);
  registry.counter("tries_total", "").with().add(1);
  registry.gauge("tries", "").with().set(2);
  const times = registry.histogram("ms", "", [1, 5]).with();
  times.observe(0.5);
  times.observeTraced(3, "0af7651916cd43dd8448eb211c80319c", 1_700_000_000_123);
  times.observeTraced(99, "1af7651916cd43dd8448eb211c80319c", 1_700_000_000_456);
  assert.equal(
    openMetrics(registry),
    [
      '# HELP calls Calls \\"x\\".',
      "# TYPE calls counter",
      'calls_total{to="b"} 3',
      "# TYPE calls_failed unknown",
      "calls_failed 1",
      "# TYPE tries_total unknown",
      "tries_total 1",
      "# TYPE tries gauge",
      "tries 2",
      "# TYPE ms histogram",
      'ms_bucket{le="1"} 1',
      'ms_bucket{le="5"} 2 # {trace_id="0af7651916cd43dd8448eb211c80319c"} 3 1700000000.123',
      'ms_bucket{le="+Inf"} 3 # {trace_id="1af7651916cd43dd8448eb211c80319c"} 99 1700000000.456',
      "ms_sum 102.5",
      "ms_count 3",
      "# EOF",
      "",
    ].join("\n"),
  );
  assert.ok(!renderPrometheusText(registry).includes("trace_id"), "text has no exemplars");
});

test("a label of 10 KB with quotes and line ends stays one label", () => {
  const registry = new MetricRegistry();
  const value = `"\\\n}, x="1`.repeat(1_100);
  registry.counter("a_total", "", ["x"]).with(value).add();
  const lines = renderPrometheusText(registry).split("\n");
  assert.equal(lines.length, 3);
  const written = /^a_total\{x="((?:[^"\\]|\\.)*)"\} 1$/.exec(lines[1]!)![1]!;
  assert.equal(
    written.replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c)),
    value,
  );
});

test("series beyond the limit are one, which keeps the first labels, and are counted", () => {
  const registry = new MetricRegistry();
  tellOverflows(registry);
  const family = registry.counter("a_total", "", ["side", "host"], { maxSeries: 2, keptLabels: 1 });
  for (const host of ["1", "2", "3", "4", "1"]) family.with("in", host).add();
  family.with("out", "5").add();
  const text = renderPrometheusText(registry);
  assert.deepEqual(
    text.split("\n").filter((line) => line.startsWith("a_total")),
    [
      'a_total{side="in",host="1"} 2',
      'a_total{side="in",host="2"} 1',
      'a_total{side="in",host="overflow"} 2',
      'a_total{side="out",host="overflow"} 1',
    ],
  );
  assert.match(renderPrometheusText(registry), /weft_metric_series_overflowed_total\{metric="a_total"\} 3/);
});

test("idle series are forgotten, those that go on are not, and whoever keeps one can tell", () => {
  const registry = new MetricRegistry();
  const family = registry.counter("a_total", "", ["host"]);
  const kept = registry.counter("b_total", "").with();
  const timers: (() => void)[] = [];
  let nowMs = 0;
  const clock = {
    monotonicMs: () => nowMs,
    setTimer(run: () => void) {
      timers.push(run);
      return { cancel() {} };
    },
  } as Partial<Clock> as Clock;
  const isExpiring = ({ name }: { name: string }) => name === "a_total";
  startSeriesExpiry({ registry, clock, idleMs: 60_000, isExpiring });
  const pass = (ms: number): void => {
    nowMs += ms;
    timers.pop()!();
  };
  family.with("1").add();
  family.with("2").add();
  kept.add();
  pass(15_000);
  for (let i = 0; i < 5; i++) {
    family.with("2").add();
    pass(15_000);
  }
  assert.deepEqual(
    [...family.series].map(({ labels }) => labels[0]),
    ["2"],
  );
  assert.equal(registry.generation, 1);
  family.with("1").add();
  assert.equal(family.with("1").value, 1, "what comes back begins anew");
  assert.match(renderPrometheusText(registry), /b_total 1/);
});
