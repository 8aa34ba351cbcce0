import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricRegistry } from "@weft/base/metric-registry";
import { EnvoyStats } from "./envoy-stats.ts";
import { renderStatsText } from "./render-stats.ts";
import { addStats, copyStats } from "./stats-copy.ts";

function worker(requests: number, active: number, members: number, timesMs: readonly number[]) {
  const stats = new EnvoyStats(new MetricRegistry());
  stats.counter("cluster.{envoy_cluster_name}.upstream_rq_total", "a").add(requests);
  stats.gauge("cluster.{envoy_cluster_name}.upstream_cx_active", "a").set(active);
  stats.gauge("cluster.{envoy_cluster_name}.membership_total", "a").set(members);
  stats.gauge("cluster.{envoy_cluster_name}.outlier_detection.ejections_active", "a").set(members);
  const histogram = stats.histogram("cluster.{envoy_cluster_name}.upstream_rq_time", "a");
  for (const ms of timesMs) histogram.observe(ms);
  return stats;
}

test("counts and what each worker has for itself are added up, what all say alike is said once", () => {
  const total = addStats([copyStats(worker(3, 1, 2, [1, 7])), copyStats(worker(4, 5, 2, [7]))]);
  const text = renderStatsText(total);
  assert.match(text, /^cluster\.a\.upstream_rq_total: 7$/m);
  assert.match(text, /^cluster\.a\.upstream_cx_active: 6$/m);
  assert.match(text, /^cluster\.a\.membership_total: 2$/m);
  assert.match(text, /^cluster\.a\.outlier_detection\.ejections_active: 2$/m);
  const [, histogram] = [...total.registry.families]
    .map(({ name, series }) => [name, [...series][0]!.metric])
    .find(([name]) => name === "envoy_cluster_upstream_rq_time") as [string, { count: number; sum: number }];
  assert.deepEqual([histogram.count, histogram.sum], [3, 15]);
});

test("a series that only one worker has is in the sum", () => {
  const first = worker(1, 0, 0, []);
  const second = worker(1, 0, 0, []);
  second.counter("http.{envoy_http_conn_manager_prefix}.downstream_rq_total", "late").add(2);
  assert.match(
    renderStatsText(addStats([copyStats(first), copyStats(second)])),
    /^http\.late\.downstream_rq_total: 2$/m,
  );
});
