import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MetricRegistry } from "@weft/base/metric-registry";
import { FakeClock } from "@weft/testkit/fake-clock";
import { EnvoyStats } from "../telemetry/envoy-stats.ts";
import { clusterPlan, endpoint, locality, noContext, seededRandom } from "./cluster-fixture.ts";
import { ClusterManager } from "./cluster-manager.ts";
import type { ClusterPlan } from "./cluster-plan.ts";
import { routeByZone } from "./zone-routing.ts";

const zone = (name: string) => ({ region: "r", zone: name, subZone: "" });
const counts = (...healthy: number[]) =>
  healthy.map((count, i) => ({ locality: zone("abc"[i]!), healthy: count }));

describe("zone routing", () => {
  const cases = [
    {
      name: "keeps all at home when the zone has its share",
      local: [2, 2],
      upstream: [4, 4],
      expected: { kind: "direct" },
    },
    {
      name: "keeps all at home when the zone has more",
      local: [1, 3],
      upstream: [4, 4],
      expected: { kind: "direct" },
    },
    {
      name: "sends away what the zone's share does not cover, to where there is room",
      local: [2, 2, 1],
      upstream: [2, 4, 2],
      expected: { kind: "residual", localShare: 0.625, residual: [0, 1_000, 1_500] },
    },
    {
      name: "sends everything away when the zone has no endpoint",
      local: [2, 2],
      upstream: [0, 4],
      expected: { kind: "residual", localShare: 0, residual: [0, 5_000] },
    },
  ];
  for (const { name, local, upstream, expected } of cases) {
    it(name, () => {
      assert.deepEqual(routeByZone(zone("a"), counts(...local), counts(...upstream), false), expected);
    });
  }

  it("stays at home when forced to, as long as there is an endpoint", () => {
    assert.equal(routeByZone(zone("a"), counts(3, 1), counts(1, 9), true).kind, "direct");
    assert.equal(routeByZone(zone("a"), counts(3, 1), counts(0, 9), true).kind, "residual");
  });
});

describe("zone-aware routing", () => {
  const groups = (prefix: string, ...sizes: number[]) =>
    sizes.map((size, i) =>
      locality(
        Array.from({ length: size }, (_, j) => endpoint(`${prefix}-${"abc"[i]}${j}`)),
        zone("abc"[i]!),
      ),
    );

  function shares(local: number[], upstream: number[], options: Partial<ClusterPlan> = {}) {
    const stats = new EnvoyStats(new MetricRegistry());
    const manager = new ClusterManager({
      clock: new FakeClock(),
      stats,
      random: seededRandom(7),
      localCluster: { name: "local", locality: zone("a") },
    });
    for (const [name, sizes] of [
      ["web", upstream],
      ["local", local],
    ] as const) {
      manager.setCluster(
        clusterPlan({ ...options, name, statName: name, discovery: { kind: "eds", serviceName: name } }),
      );
      manager.setEndpoints(name, groups(name, ...sizes));
    }
    const cluster = manager.get("web")!;
    const found: Record<string, number> = {};
    for (let i = 0; i < 10_000; i++) {
      const host = cluster.pick(noContext)?.addressText[4] ?? "none";
      found[host] = (found[host] ?? 0) + 1;
    }
    const count = (name: string) => stats.counter(`cluster.{envoy_cluster_name}.${name}`, "web").value;
    return { found, count, manager };
  }

  it("keeps requests in the own zone as soon as the local cluster is known", () => {
    const { found, count } = shares([2, 2], [4, 4]);
    assert.deepEqual(found, { a: 10_000 });
    assert.equal(count("lb_zone_routing_all_directly"), 10_000);
  });

  it("shares by what the zones can take", () => {
    // Half of the proxies, a quarter of the endpoints: half of the requests stay.
    const { found, count } = shares([2, 1, 1], [2, 3, 3]);
    assert.ok(Math.abs(found.a! - 5_000) < 250, `${found.a}`);
    assert.ok(Math.abs(found.b! - found.c!) < 250);
    assert.equal(count("lb_zone_routing_sampled"), found.a);
    assert.equal(count("lb_zone_routing_cross_zone"), 10_000 - found.a!);
  });

  it("routes only the percentage it is told to", () => {
    const zoneAware = { routingPercent: 40, minClusterSize: 6, failsOnPanic: false, forcesLocal: false };
    const { found } = shares([2, 2], [4, 4], { zoneAware });
    assert.ok(Math.abs(found.a! - 7_000) < 250, `${found.a}`);
  });

  it("does not count zones in a cluster that is too small, nor without a proxy in the own zone", () => {
    const small = shares([2, 2], [2, 2]);
    assert.ok(Math.abs(small.found.a! - 5_000) < 250);
    assert.ok(small.count("lb_zone_cluster_too_small") > 0);
    const absent = shares([0, 2], [4, 4]);
    assert.ok(Math.abs(absent.found.a! - 5_000) < 250);
    assert.ok(absent.count("lb_local_cluster_not_ok") > 0);
  });

  it("answers nothing in a panic when told to", () => {
    const zoneAware = { routingPercent: 100, minClusterSize: 6, failsOnPanic: true, forcesLocal: false };
    const { manager } = shares([2, 2], [4, 4], { zoneAware });
    const sick = groups("web", 4, 4).map((group) => ({
      ...group,
      endpoints: group.endpoints.map((one) => ({ ...one, health: "unhealthy" as const })),
    }));
    manager.setEndpoints("web", sick);
    assert.equal(manager.get("web")!.pick(noContext), undefined);
    assert.equal(manager.get("web")!.allStats.membership.healthyPanic.value, 1);
  });
});
