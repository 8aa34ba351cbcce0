import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MetricRegistry } from "@weft/base/metric-registry";
import { FakeClock } from "@weft/testkit/fake-clock";
import { EnvoyStats } from "../telemetry/envoy-stats.ts";
import { clusterPlan, endpoint, locality, noContext, seededRandom } from "./cluster-fixture.ts";
import { ClusterManager } from "./cluster-manager.ts";
import type { LocalityEndpoints } from "./cluster-plan.ts";

/** So many healthy endpoints of so many, at a priority. */
const level = (healthy: number, total: number, priority = 0): LocalityEndpoints =>
  locality(
    Array.from({ length: total }, (_, i) =>
      endpoint(`10.0.${priority}.${i}`, { health: i < healthy ? "healthy" : "unhealthy" }),
    ),
    { priority },
  );

function aggregate(clusters: readonly string[], panicThresholdPercent = 0) {
  const manager = new ClusterManager({
    clock: new FakeClock(),
    stats: new EnvoyStats(new MetricRegistry()),
    random: seededRandom(11),
  });
  const add = (name: string, discovery: Parameters<typeof clusterPlan>[0] & object) =>
    manager.setCluster(clusterPlan({ name, statName: name, panicThresholdPercent, ...discovery }));
  add("all", { discovery: { kind: "aggregate", clusters }, balancer: { kind: "cluster-provided" } });
  return {
    manager,
    add,
    set(name: string, ...levels: readonly LocalityEndpoints[]) {
      if (!manager.get(name)) add(name, { discovery: { kind: "eds", serviceName: name } });
      manager.setEndpoints(name, levels);
    },
    /** Percent of requests each cluster gets. */
    shares() {
      const counts: Record<string, number> = {};
      for (let i = 0; i < 10_000; i++) {
        const { name } = manager.get("all")!;
        counts[name] = (counts[name] ?? 0) + 1;
      }
      return Object.fromEntries(
        Object.entries(counts).map(([name, count]) => [name, Math.round(count / 1_000) * 10]),
      );
    },
  };
}

describe("an aggregate cluster", () => {
  it("uses its first cluster as long as that can take everything", () => {
    const { set, shares } = aggregate(["first", "second"]);
    set("first", level(8, 10));
    set("second", level(10, 10));
    assert.deepEqual(shares(), { first: 100 });
  });

  it("gives the next one what the first cannot take, as health changes", () => {
    const { set, shares } = aggregate(["first", "second"]);
    set("first", level(5, 10));
    set("second", level(10, 10));
    assert.deepEqual(shares(), { first: 70, second: 30 });
    set("first", level(0, 10));
    assert.deepEqual(shares(), { second: 100 });
    set("first", level(10, 10));
    assert.deepEqual(shares(), { first: 100 });
  });

  it("takes the priorities of a cluster before the next cluster", () => {
    const { set, shares } = aggregate(["first", "second"]);
    set("first", level(2, 10), level(3, 10, 1));
    set("second", level(10, 10));
    // 28 % and 42 % of the first, then the second.
    assert.deepEqual(shares(), { first: 70, second: 30 });
  });

  it("passes over clusters that are not there, and finds them when they come", () => {
    const { set, shares, manager } = aggregate(["late", "second"]);
    set("second", level(1, 1));
    assert.deepEqual(shares(), { second: 100 });
    set("late", level(1, 1));
    assert.deepEqual(shares(), { late: 100 });
    manager.removeCluster("late");
    assert.deepEqual(shares(), { second: 100 });
  });

  it("has no endpoint itself when none of its clusters has", () => {
    const { manager, shares } = aggregate(["missing"]);
    assert.deepEqual(shares(), { all: 100 });
    assert.equal(manager.get("all")!.pick(noContext), undefined);
  });

  it("follows aggregates within it, and not one that contains itself", () => {
    const { add, set, shares } = aggregate(["inner", "all", "last"]);
    add("inner", {
      discovery: { kind: "aggregate", clusters: ["a", "all"] },
      balancer: { kind: "cluster-provided" },
    });
    set("a", level(5, 10));
    set("last", level(1, 1));
    assert.deepEqual(shares(), { a: 70, last: 30 });
  });

  it("shares by size when all panic", () => {
    const { set, shares } = aggregate(["first", "second"], 50);
    set("first", level(0, 6));
    set("second", level(0, 4));
    assert.deepEqual(shares(), { first: 60, second: 40 });
  });
});
