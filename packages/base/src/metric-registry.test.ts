import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricRegistry } from "./metric-registry.ts";
import { renderPrometheusText } from "./prometheus-text.ts";

test("a registry renders in Prometheus' text format", () => {
  const registry = new MetricRegistry();
  registry.counter("calls_total", "Calls.", ["code", "path"]).with("200", 'a"b\\c\nd').add(3);
  registry.gauge("open", "Open connections.").with().set(2);
  const times = registry.histogram("ms", "Durations.", [1, 5], ["to"]).with("x");
  for (const value of [0.5, 1, 3, 9]) times.observe(value);
  assert.equal(
    renderPrometheusText(registry),
    [
      "# HELP calls_total Calls.",
      "# TYPE calls_total counter",
      'calls_total{code="200",path="a\\"b\\\\c\\nd"} 3',
      "# HELP open Open connections.",
      "# TYPE open gauge",
      "open 2",
      "# HELP ms Durations.",
      "# TYPE ms histogram",
      'ms_bucket{to="x",le="1"} 2',
      'ms_bucket{to="x",le="5"} 3',
      'ms_bucket{to="x",le="+Inf"} 4',
      'ms_sum{to="x"} 13.5',
      'ms_count{to="x"} 4',
      "",
    ].join("\n"),
  );
});

test("the same labels are the same series, and a removed one is gone", () => {
  const registry = new MetricRegistry();
  const family = registry.counter("a_total", "", ["x"]);
  assert.equal(family.with("1"), family.with("1"));
  family.with("1").add();
  family.remove("1");
  assert.equal(renderPrometheusText(registry), "");
});

test("label values cannot run into each other", () => {
  const family = new MetricRegistry().counter("a_total", "", ["x", "y"]);
  assert.notEqual(family.with("a", "b,c"), family.with("a,b", "c"));
});

test("a name is registered once: another kind or other labels are a programming error", () => {
  const registry = new MetricRegistry();
  registry.counter("a", "", ["x"]);
  assert.equal(registry.counter("a", "", ["x"]), registry.counter("a", "", ["x"]));
  assert.throws(() => registry.gauge("a", "", ["x"]), /already registered/);
  assert.throws(() => registry.counter("a", "", ["y"]), /already registered/);
  assert.throws(() => registry.counter("a", "", ["x"]).with(), /takes 1 labels/);
});

test("series are removed by their first label, whichever others they have", () => {
  const registry = new MetricRegistry();
  const plain = registry.counter("plain", "", ["cluster"]);
  const wide = registry.counter("wide", "", ["cluster", "code"]);
  const fill = () => {
    for (const cluster of ["a", "b"]) {
      plain.with(cluster).add();
      plain.withMore([cluster], [["zone", "z"]]).add();
      for (const code of ["200", "503"]) wide.with(cluster, code).add();
    }
  };
  const left = () =>
    [...plain.series, ...wide.series].map(({ labels, more = [] }) => [...labels, ...more.flat()].join());
  fill();
  for (const family of [plain, wide]) family.removeByFirst("a");
  assert.deepEqual(left(), ["b", "b,zone,z", "b,200", "b,503"]);
  // Those made afterwards, and those removed one by one, are no different.
  fill();
  wide.remove("b", "200");
  for (const family of [plain, wide]) family.removeByFirst("b");
  assert.deepEqual(left(), ["a", "a,zone,z", "a,200", "a,503"]);
  for (const family of [plain, wide]) family.removeByFirst("a");
  assert.deepEqual(left(), []);
});
