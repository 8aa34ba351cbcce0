import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AttemptOutcome } from "./cluster.ts";
import { clusterWith, defaultOutlier, endpoint, locality } from "./cluster-fixture.ts";
import type { OutlierPlan } from "./cluster-plan.ts";
import { findRateOutliers } from "./success-rate.ts";

const { rates } = defaultOutlier;
const counts = (...percents: readonly number[]) =>
  percents.map((percent, i) => [`h${i}`, { total: 100, successes: percent }] as const);

describe("success rates", () => {
  it("make an outlier of who is far below the others", () => {
    const { belowMean, failing, rates: found } = findRateOutliers(counts(100, 100, 100, 99, 40), rates);
    assert.deepEqual([belowMean, failing, found.get("h4")], [["h4"], [], 40]);
  });

  it("make none when all are equally bad", () => {
    assert.deepEqual(findRateOutliers(counts(40, 40, 40, 40, 40), rates).belowMean, []);
  });

  it("are compared with a factor of the deviation", () => {
    const spread = counts(100, 90, 80, 70, 60);
    assert.deepEqual(findRateOutliers(spread, { ...rates, successRateStdevFactor: 1.4 }).belowMean, ["h4"]);
    assert.deepEqual(findRateOutliers(spread, { ...rates, successRateStdevFactor: 1.5 }).belowMean, []);
  });

  it("say nothing of too few endpoints or requests", () => {
    assert.deepEqual(findRateOutliers(counts(100, 100, 100, 40), rates).belowMean, []);
    const few = { ...rates, successRateRequestVolume: 101, failurePercentageRequestVolume: 101 };
    const quiet = findRateOutliers(counts(100, 100, 100, 100, 0), few);
    assert.deepEqual([quiet.belowMean, quiet.failing, quiet.rates.size], [[], [], 0]);
  });

  it("find who fails too often, whatever the others do", () => {
    assert.deepEqual(findRateOutliers(counts(10, 10, 10, 10, 16), rates).failing, ["h0", "h1", "h2", "h3"]);
  });
});

describe("outlier detection by rate", () => {
  const status = (code: number): AttemptOutcome => ({ kind: "response", status: code });

  /** Five endpoints; the first fails so many of its hundred requests. */
  function setUp(failures: number, outcome: AttemptOutcome, plan: Partial<OutlierPlan> = {}) {
    const made = clusterWith([locality(["a", "b", "c", "d", "e"].map((host) => endpoint(host)))], {
      outlier: {
        ...defaultOutlier,
        enforcingConsecutive5xx: 0,
        enforcingConsecutiveLocalOriginFailure: 0,
        ...plan,
      },
      panicThresholdPercent: 0,
    });
    const hosts = [...made.cluster.endpoints];
    const load = () => {
      for (const host of hosts) {
        const failing = host === hosts[0] ? failures : 0;
        for (let i = 0; i < 100; i++) made.cluster.report(host, i < failing ? outcome : status(200));
      }
    };
    load();
    const enforced = (cause: string) =>
      made.stats.counter(`cluster.{envoy_cluster_name}.outlier_detection.ejections_enforced_${cause}`, "web")
        .value;
    const isEjected = () => hosts.map((host) => (host.outlier.isEjected ? "x" : ".")).join("");
    return { ...made, hosts, load, enforced, isEjected };
  }

  it("ejects at the end of the interval, and starts counting anew", async () => {
    const s = setUp(60, status(500));
    assert.equal(s.isEjected(), ".....");
    await s.clock.advance(10_000);
    assert.equal(s.isEjected(), "x....");
    assert.equal(s.enforced("success_rate"), 1);
    assert.deepEqual([s.hosts[0]!.outlier.externalRate, s.hosts[1]!.outlier.externalRate], [40, 100]);
    assert.equal(s.hosts[0]!.outlier.external.total, 0);
    await s.clock.advance(10_000);
    assert.equal(s.hosts[1]!.outlier.externalRate, -1);
  });

  it("enforces failure percentage only where asked to", async () => {
    const all = { enforcingSuccessRate: 0, enforcingFailurePercentage: 100 };
    for (const [failures, plan, expected] of [
      [90, all, "x...."],
      [80, all, "....."],
      [90, { enforcingSuccessRate: 0 }, "....."],
    ] as const) {
      const s = setUp(failures, status(500), plan);
      await s.clock.advance(10_000);
      assert.equal(s.isEjected(), expected);
      assert.equal(s.enforced("failure_percentage"), expected === "....." ? 0 : 1);
    }
  });

  it("keeps local failures apart where told to", async () => {
    const apart = setUp(60, { kind: "local-origin-failure" }, { splitExternalLocalOriginErrors: true });
    await apart.clock.advance(10_000);
    assert.deepEqual([apart.enforced("local_origin_success_rate"), apart.enforced("success_rate")], [1, 0]);
    const together = setUp(60, { kind: "local-origin-failure" });
    await together.clock.advance(10_000);
    assert.deepEqual(
      [together.enforced("local_origin_success_rate"), together.enforced("success_rate")],
      [0, 1],
    );
  });

  it("lengthens each ejection by up to max_ejection_time_jitter", async () => {
    const s = setUp(60, status(500), { baseEjectionMs: 10_000, maxEjectionJitterMs: 1_000_000 });
    await s.clock.advance(10_000);
    const { jitterMs } = s.hosts[0]!.outlier;
    assert.ok(jitterMs > 20_000 && jitterMs <= 1_000_000, `${jitterMs}`);
    await s.clock.advance(jitterMs);
    assert.equal(s.isEjected(), "x....");
    await s.clock.advance(20_000);
    assert.equal(s.isEjected(), ".....");
  });
});
