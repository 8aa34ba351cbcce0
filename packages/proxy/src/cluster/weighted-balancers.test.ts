import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BalancerPlan } from "./balancer-plan.ts";
import { clusterWith, endpoint, locality, noContext, tally } from "./cluster-fixture.ts";
import { slowStartFactor } from "./slow-start.ts";

describe("least request", () => {
  const weighted = [endpoint("busy", { weight: 4 }), endpoint("idle", { weight: 3 })];
  for (const { bias, busyShare } of [
    { bias: 0, busyShare: 4 / 7 },
    { bias: 1, busyShare: 1 / 4 },
    { bias: 2, busyShare: 1 / 13 },
  ]) {
    it(`with active_request_bias ${bias} divides the weight by the load to that power`, () => {
      const { cluster } = clusterWith([locality(weighted)], {
        balancer: { kind: "least-request", choiceCount: 2, activeRequestBias: bias },
      });
      // 4/(3+1)^bias against 3/1.
      [...cluster.endpoints][0]!.activeRequests = 3;
      const counts = tally(cluster, 1_300);
      assert.ok(Math.abs(counts.busy! - 1_300 * busyShare) <= 2, `${counts.busy}`);
    });
  }

  it("with a full scan never takes one busier than another, and any of the idle ones", () => {
    const { cluster } = clusterWith([locality(["a", "b", "c", "d"].map((host) => endpoint(host)))], {
      balancer: { kind: "least-request", choiceCount: 0 },
    });
    const [a, b] = cluster.endpoints;
    a!.activeRequests = 1;
    b!.activeRequests = 1;
    const counts = tally(cluster, 1_000);
    assert.deepEqual(Object.keys(counts).sort(), ["c", "d"]);
    assert.ok(counts.c! > 400 && counts.d! > 400);
  });
});

describe("slow start", () => {
  const slowStart = { windowMs: 10_000, aggression: 1, minWeight: 0.1 };
  const kinds: readonly BalancerPlan[] = [
    { kind: "round-robin", slowStart },
    { kind: "least-request", choiceCount: 2, slowStart },
  ];
  for (const balancer of kinds) {
    it(`gives a new endpoint little at first and its share at the end: ${balancer.kind}`, async () => {
      const { cluster, clock } = clusterWith([locality([endpoint("old")])], { balancer });
      await clock.advance(60_000);
      cluster.setEndpoints([locality([endpoint("old"), endpoint("new")])]);
      const first = tally(cluster, 1_100).new!;
      assert.ok(first >= 98 && first <= 102, `${first}: a tenth of the other`);
      await clock.advance(5_000);
      // One turn with the old weight is still to come.
      cluster.setEndpoints([locality([endpoint("old"), endpoint("new")])]);
      const half = tally(cluster, 1_500).new!;
      assert.ok(half >= 498 && half <= 502, `${half}: half of the other`);
      await clock.advance(5_000);
      cluster.setEndpoints([locality([endpoint("old"), endpoint("new")])]);
      const full = tally(cluster, 1_000).new!;
      assert.ok(balancer.kind === "round-robin" ? full === 500 : full > 400 && full < 600, `${full}`);
    });
  }

  it("begins again when an endpoint becomes healthy again", async () => {
    const balancer = kinds[0]!;
    const { cluster, clock } = clusterWith([locality([endpoint("a"), endpoint("b")])], { balancer });
    await clock.advance(60_000);
    cluster.setEndpoints([locality([endpoint("a"), endpoint("b", { health: "unhealthy" })])]);
    await clock.advance(60_000);
    cluster.setEndpoints([locality([endpoint("a"), endpoint("b")])]);
    assert.equal(tally(cluster, 1_100).b, 100);
  });

  for (const [aggression, factor] of [
    [1, 0.25],
    [2, 0.5],
    [0.5, 0.1],
  ] as const) {
    it(`after a quarter of the window with aggression ${aggression} is ${factor} of the weight`, () => {
      assert.equal(slowStartFactor({ ...slowStart, aggression }, 1_000, 3_500), factor);
    });
  }
});

describe("weighted_priority_health", () => {
  it("counts weights instead of endpoints", () => {
    const first = [endpoint("p0", { weight: 1 }), endpoint("gone", { weight: 3, health: "unhealthy" })];
    const localities = [locality(first), locality([endpoint("p1")], { priority: 1 })];
    const { cluster } = clusterWith(localities, { balancer: { kind: "random" } });
    cluster.setEndpoints(localities, { weighsPriorityHealth: true });
    // 140 % of a quarter, not of a half.
    const share = tally(cluster, 10_000).p0! / 10_000;
    assert.ok(share > 0.32 && share < 0.38, `${share}`);
    cluster.setEndpoints(localities);
    assert.ok(tally(cluster, 10_000).p0! / 10_000 > 0.67);
    assert.ok(cluster.pick(noContext));
  });
});
