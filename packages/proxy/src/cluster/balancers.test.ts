import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BalancerPlan } from "./balancer-plan.ts";
import { clusterWith, endpoint, locality, noContext, tally } from "./cluster-fixture.ts";

const balancers: readonly BalancerPlan[] = [
  { kind: "round-robin" },
  { kind: "random" },
  { kind: "least-request", choiceCount: 2 },
  { kind: "least-request", choiceCount: 0 },
  { kind: "peak-ewma", decayMs: 10_000, defaultRttMs: 10 },
];

/** Within five standard deviations of a binomial count. */
function isNear(count: number | undefined, picks: number, share: number): void {
  const tolerance = 5 * Math.sqrt(picks * share * (1 - share)) + 1;
  const expected = picks * share;
  assert.ok(
    Math.abs((count ?? 0) - expected) <= tolerance,
    `${count} is not near ${expected} ± ${tolerance}`,
  );
}

for (const balancer of balancers) {
  describe(`every balancer: ${balancer.kind}`, () => {
    it("answers none for an empty cluster", () => {
      const { cluster } = clusterWith([locality([])], { balancer });
      assert.equal(cluster.pick(noContext), undefined);
    });

    it("spreads evenly over equal endpoints", () => {
      const { cluster } = clusterWith([locality(["a", "b", "c", "d"].map((host) => endpoint(host)))], {
        balancer,
      });
      const counts = tally(cluster, 10_000);
      for (const host of ["a", "b", "c", "d"]) isNear(counts[host], 10_000, 0.25);
    });

    it("leaves unhealthy, draining and ejected endpoints out", () => {
      const plans = [
        endpoint("a"),
        endpoint("b"),
        endpoint("c"),
        endpoint("sick", { health: "unhealthy" }),
        endpoint("leaving", { health: "draining" }),
      ];
      const { cluster } = clusterWith([locality(plans)], { balancer });
      assert.deepEqual(Object.keys(tally(cluster, 1_000)).sort(), ["a", "b", "c"]);
    });

    it("avoids endpoints tried before, and uses them when there are no others", () => {
      const { cluster } = clusterWith([locality([endpoint("a"), endpoint("b")])], { balancer });
      const tried = cluster.pick(noContext)!;
      for (let i = 0; i < 200; i++)
        assert.notEqual(cluster.pick({ ...noContext, avoid: (endpoint) => endpoint === tried }), tried);
      assert.ok(cluster.pick({ ...noContext, avoid: () => true }));
    });

    it("goes to the next priority only for what the first cannot take", () => {
      const first = [endpoint("p0-a"), endpoint("p0-b", { health: "unhealthy" })];
      const { cluster } = clusterWith([locality(first), locality([endpoint("p1")], { priority: 1 })], {
        balancer,
      });
      const counts = tally(cluster, 10_000);
      isNear(counts["p0-a"], 10_000, 0.7);
      isNear(counts.p1, 10_000, 0.3);
    });

    it("uses all endpoints when too few are healthy, and none with panic switched off", () => {
      const plans = [
        endpoint("a"),
        ...["b", "c", "d"].map((host) => endpoint(host, { health: "unhealthy" })),
      ];
      const panicking = clusterWith([locality(plans)], { balancer });
      assert.equal(Object.keys(tally(panicking.cluster, 1_000)).length, 4);
      assert.equal(panicking.cluster.allStats.membership.healthyPanic.value, 1_000);

      const calm = clusterWith([locality(plans)], { balancer, panicThresholdPercent: 0 });
      assert.deepEqual(tally(calm.cluster, 1_000), { a: 1_000 });
      const dead = clusterWith([locality(plans.slice(1))], { balancer, panicThresholdPercent: 0 });
      assert.equal(dead.cluster.pick(noContext), undefined);
    });

    it("honours locality weights when they are switched on", () => {
      const localities = [
        locality([endpoint("near-a"), endpoint("near-b")], { weight: 9 }),
        locality([endpoint("far")], { weight: 1 }),
      ];
      const weighted = tally(clusterWith(localities, { balancer, isLocalityWeighted: true }).cluster, 10_000);
      isNear(weighted.far, 10_000, 0.1);
      const flat = tally(clusterWith(localities, { balancer }).cluster, 10_000);
      isNear(flat.far, 10_000, 1 / 3);
    });

    it("picks without allocating", () => {
      const { cluster } = clusterWith([locality([endpoint("a", { weight: 3 }), endpoint("b")])], {
        balancer,
      });
      for (let i = 0; i < 20_000; i++) cluster.pick(noContext);
      const picks = 200_000;
      const before = process.memoryUsage().heapUsed;
      for (let i = 0; i < picks; i++) cluster.pick(noContext);
      const perPick = (process.memoryUsage().heapUsed - before) / picks;
      assert.ok(perPick < 24, `${perPick} bytes per pick`);
    });
  });
}

describe("weights", () => {
  const weighted = [endpoint("heavy", { weight: 5 }), endpoint("light", { weight: 1 })];

  it("are kept exactly by round robin, and smoothly", () => {
    const { cluster } = clusterWith([locality(weighted)]);
    assert.deepEqual(tally(cluster, 600), { heavy: 500, light: 100 });
    const { cluster: even } = clusterWith([
      locality([endpoint("a", { weight: 2 }), endpoint("b", { weight: 2 }), endpoint("c", { weight: 1 })]),
    ]);
    let last = "";
    let longest = 0;
    let run = 0;
    for (let i = 0; i < 100; i++) {
      const name = even.pick(noContext)!.addressText;
      run = name === last ? run + 1 : 1;
      longest = Math.max(longest, run);
      last = name;
    }
    assert.ok(longest <= 2, "no endpoint gets a burst");
  });

  it("are ignored by random, as Envoy does", () => {
    const { cluster } = clusterWith([locality(weighted)], { balancer: { kind: "random" } });
    isNear(tally(cluster, 10_000).heavy, 10_000, 0.5);
  });

  it("are divided by the load with least request", () => {
    const { cluster } = clusterWith([locality(weighted)], {
      balancer: { kind: "least-request", choiceCount: 2 },
    });
    const heavy = [...cluster.endpoints].find((host) => host.addressText.startsWith("heavy"))!;
    heavy.activeRequests = 4;
    const counts = tally(cluster, 600);
    isNear(counts.heavy, 600, 0.5);
  });
});

describe("least request", () => {
  it("prefers the less busy of two with equal weights", () => {
    const { cluster } = clusterWith([locality([endpoint("busy"), endpoint("idle")])], {
      balancer: { kind: "least-request", choiceCount: 2 },
    });
    [...cluster.endpoints][0]!.activeRequests = 10;
    // Both draws hit the busy one a quarter of the time.
    isNear(tally(cluster, 10_000).busy, 10_000, 0.25);
  });
});
