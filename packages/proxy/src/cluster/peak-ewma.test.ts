import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PeakEwmaPlan } from "./balancer-plan.ts";
import { clusterWith, endpoint, locality, tally } from "./cluster-fixture.ts";
import { LatencyEstimate } from "./latency-estimate.ts";

const plan: PeakEwmaPlan = { kind: "peak-ewma", decayMs: 10_000, defaultRttMs: 10 };

describe("peak EWMA", () => {
  it("believes a slow answer at once and faster ones by and by", () => {
    const estimate = new LatencyEstimate(plan, 0);
    estimate.observe(500, 0);
    assert.equal(estimate.read(0), 500);
    estimate.observe(20, 10_000);
    assert.ok(Math.abs(estimate.read(10_000) - (20 + 480 / Math.E)) < 1e-9);
  });

  it("forgets when nobody asks", () => {
    const estimate = new LatencyEstimate(plan, 0);
    estimate.observe(500, 0);
    assert.ok(estimate.read(60_000) < 2);
  });

  it("prefers endpoints that answer fast and have little to do", () => {
    const { cluster } = clusterWith([locality(["fast", "slow", "busy"].map((host) => endpoint(host)))], {
      balancer: plan,
    });
    const [, slow, busy] = cluster.endpoints;
    slow!.latency!.observe(400, 0);
    busy!.activeRequests = 9;
    const counts = tally(cluster, 3_000);
    // The fast one wins both of its pairs; the busy one costs less than the slow one.
    assert.ok(Math.abs(counts.fast! - 2_000) < 150);
    assert.ok(Math.abs(counts.busy! - 1_000) < 150);
    assert.equal(counts.slow, undefined);
  });
});
