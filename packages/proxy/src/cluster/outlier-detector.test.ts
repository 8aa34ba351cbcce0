import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AttemptOutcome } from "./cluster.ts";
import { clusterWith, defaultOutlier, endpoint, locality, tally } from "./cluster-fixture.ts";
import type { OutlierPlan } from "./cluster-plan.ts";

const status = (code: number): AttemptOutcome => ({ kind: "response", status: code });

function setUp(outlier: Partial<OutlierPlan> = {}, hosts = ["a", "b"]) {
  const made = clusterWith([locality(hosts.map((host) => endpoint(host)))], {
    outlier: { ...defaultOutlier, ...outlier },
    panicThresholdPercent: 0,
  });
  const sick = [...made.cluster.endpoints][0]!;
  const report = (outcome: AttemptOutcome, times: number, host = sick) => {
    for (let i = 0; i < times; i++) made.cluster.report(host, outcome);
  };
  return { ...made, sick, report };
}

describe("outlier detection", () => {
  it("ejects after consecutive server errors and leaves the endpoint out", () => {
    const { cluster, sick, report, stats } = setUp();
    report(status(500), 4);
    assert.equal(sick.outlier.isEjected, false);
    report(status(500), 1);
    assert.equal(sick.outlier.isEjected, true);
    assert.deepEqual(tally(cluster, 50), { b: 50 });
    assert.equal(
      stats.gauge("cluster.{envoy_cluster_name}.outlier_detection.ejections_active", "web").value,
      1,
    );
  });

  it("starts counting anew after a success", () => {
    const { sick, report } = setUp();
    report(status(500), 4);
    report(status(200), 1);
    report(status(500), 4);
    assert.equal(sick.outlier.isEjected, false);
  });

  const outcomes: { outcome: AttemptOutcome; plan: Partial<OutlierPlan>; ejects: boolean; what: string }[] = [
    { what: "a 404", outcome: status(404), plan: {}, ejects: false },
    { what: "a connection failure", outcome: { kind: "local-origin-failure" }, plan: {}, ejects: true },
    { what: "a timeout", outcome: { kind: "timeout" }, plan: {}, ejects: true },
    {
      what: "a gateway failure when only those are enforced",
      outcome: status(503),
      plan: { enforcingConsecutive5xx: 0, enforcingConsecutiveGatewayFailure: 100 },
      ejects: true,
    },
    {
      what: "a 500 when only gateway failures are enforced",
      outcome: status(500),
      plan: { enforcingConsecutive5xx: 0, enforcingConsecutiveGatewayFailure: 100 },
      ejects: false,
    },
    {
      what: "a connection failure, counted apart and enforced",
      outcome: { kind: "local-origin-failure" },
      plan: { splitExternalLocalOriginErrors: true },
      ejects: true,
    },
    {
      what: "a connection failure, counted apart and not enforced",
      outcome: { kind: "local-origin-failure" },
      plan: { splitExternalLocalOriginErrors: true, enforcingConsecutiveLocalOriginFailure: 0 },
      ejects: false,
    },
  ];
  for (const { what, outcome, plan, ejects } of outcomes) {
    it(`${ejects ? "ejects" : "does not eject"} for five times ${what}`, () => {
      const { sick, report } = setUp(plan);
      report(outcome, 5);
      assert.equal(sick.outlier.isEjected, ejects);
    });
  }

  it("keeps to the maximum share, with one exception where that is allowed", () => {
    for (const [alwaysEjectsOneHost, ejected] of [
      [false, 0],
      [true, 1],
    ] as const) {
      const { cluster, report } = setUp({ maxEjectionPercent: 10, alwaysEjectsOneHost }, ["a", "b", "c"]);
      for (const host of cluster.endpoints) report(status(500), 5, host);
      assert.equal([...cluster.endpoints].filter((host) => host.outlier.isEjected).length, ejected);
    }
  });

  it("lets an endpoint back after its time, which grows with each ejection up to the maximum", async () => {
    const { clock, sick, report } = setUp({ maxEjectionMs: 60_000 });
    const ejectedForMs = async () => {
      report(status(500), 5);
      assert.equal(sick.outlier.isEjected, true);
      let waitedMs = 0;
      for (; sick.outlier.isEjected; waitedMs += 10_000) await clock.advance(10_000);
      return waitedMs;
    };
    assert.deepEqual(
      [await ejectedForMs(), await ejectedForMs(), await ejectedForMs()],
      [30_000, 60_000, 60_000],
    );
  });

  it("forgets the growth step by step while an endpoint behaves", async () => {
    const { clock, sick, report } = setUp();
    report(status(500), 5);
    await clock.advance(30_000);
    assert.equal(sick.outlier.backoff, 1);
    await clock.advance(10_000);
    assert.equal(sick.outlier.backoff, 0);
  });

  it("releases everyone when an update takes detection away", () => {
    const { cluster, sick, report } = setUp();
    report(status(500), 5);
    cluster.replacePlan({ ...cluster.plan, outlier: undefined, fingerprint: "without" });
    assert.equal(sick.outlier.isEjected, false);
    assert.deepEqual(tally(cluster, 50), { a: 25, b: 25 });
  });
});
