import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricRegistry } from "@weft/base/metric-registry";
import { EnvoyStats } from "./envoy-stats.ts";
import { packLines, StatsdLines } from "./statsd-lines.ts";

function setUp(kind: "statsd" | "dogstatsd") {
  const registry = new MetricRegistry();
  const stats = new EnvoyStats(registry);
  const lines = new StatsdLines({ kind, prefix: "mesh" });
  const cluster = "cluster.{envoy_cluster_name}.";
  return {
    registry,
    stats,
    told: () => [...lines.next(stats)].sort(),
    total: stats.counter(`${cluster}upstream_rq_total`, "a:b"),
    active: stats.gauge(`${cluster}upstream_rq_active`, "a:b"),
    time: stats.histogram(`${cluster}upstream_rq_time`, "a:b"),
  };
}

test("counters are told by what they gained, gauges by what they are, and nothing before it was used", () => {
  const { told, total, active } = setUp("statsd");
  assert.deepEqual(told(), []);
  total.add(3);
  active.set(1);
  assert.deepEqual(told(), [
    "mesh.cluster.a_b.upstream_rq_active:1|g",
    "mesh.cluster.a_b.upstream_rq_total:3|c",
  ]);
  total.add(2);
  active.set(0);
  assert.deepEqual(told(), [
    "mesh.cluster.a_b.upstream_rq_active:0|g",
    "mesh.cluster.a_b.upstream_rq_total:2|c",
  ]);
  assert.equal(told()[1], "mesh.cluster.a_b.upstream_rq_total:0|c");
});

test("a counter that began anew is told from nothing", () => {
  const { told, stats, total } = setUp("statsd");
  total.add(9);
  told();
  stats.resetCounters();
  total.add(4);
  assert.deepEqual(told(), ["mesh.cluster.a_b.upstream_rq_total:4|c"]);
});

test("times are told by bucket, each line for so many as its rate says", () => {
  const { told, time } = setUp("statsd");
  for (const ms of [0.2, 7, 8, 9]) time.observe(ms);
  assert.deepEqual(told(), [
    "mesh.cluster.a_b.upstream_rq_time:0|ms",
    "mesh.cluster.a_b.upstream_rq_time:7|ms|@0.333333",
  ]);
  assert.deepEqual(told(), []);
  time.observe(4_000_000);
  assert.deepEqual(told(), ["mesh.cluster.a_b.upstream_rq_time:3600000|ms"]);
});

test("DogStatsD has labels as tags, and none that are empty", () => {
  const { told, registry, total, time } = setUp("dogstatsd");
  total.add(1);
  for (let i = 0; i < 4; i++) time.observe(3);
  registry.counter("istio_requests_total", "", ["reporter", "source_app"]).with("source", "").add(5);
  assert.deepEqual(told(), [
    "mesh.cluster.upstream_rq_time:3|ms|@0.25|#envoy.cluster_name:a_b",
    "mesh.cluster.upstream_rq_total:1|c|#envoy.cluster_name:a_b",
    "mesh.istio_requests_total:5|c|#reporter:source",
  ]);
});

test("no value of a label can end a line or begin a tag", () => {
  const { told, stats } = setUp("dogstatsd");
  stats.counter("cluster.{envoy_cluster_name}.x", "a|b,c#d\ne:f@g h").add(1);
  assert.deepEqual(told(), ["mesh.cluster.x:1|c|#envoy.cluster_name:a_b_c_d_e_f_g_h"]);
});

test("lines share datagrams as long as they fit", () => {
  assert.deepEqual(packLines(["aaa", "bbb", "cccccccc", "d"], 7), ["aaa\nbbb", "cccccccc", "d"]);
  assert.deepEqual(packLines(["a", "b"], 0), ["a", "b"]);
  assert.deepEqual(packLines([], 100), []);
});

test("what is not to be shown is not told", () => {
  const { stats, total, time } = setUp("dogstatsd");
  total.add(1);
  time.observe(1);
  const lines = new StatsdLines(
    { kind: "dogstatsd", prefix: "p" },
    (name) => name === "cluster.a_b.upstream_rq_total",
  );
  assert.deepEqual(lines.next(stats), ["p.cluster.upstream_rq_total:1|c|#envoy.cluster_name:a_b"]);
});
