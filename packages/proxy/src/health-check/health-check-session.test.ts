import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MetricRegistry } from "@weft/base/metric-registry";
import { FakeClock } from "@weft/testkit/fake-clock";
import { EnvoyStats } from "../telemetry/envoy-stats.ts";
import { uncheckedHealth } from "./active-health.ts";
import {
  degraded,
  healthCheckPlan,
  healthy,
  refused,
  retriable,
  unreachable,
} from "./health-check-fixture.ts";
import type { HealthCheckPlan } from "./health-check-plan.ts";
import { HealthCheckSession } from "./health-check-session.ts";
import { healthCheckStats } from "./health-check-stats.ts";
import type { ProbeResult } from "./probe.ts";

/** One endpoint, failed until its first check, as a cluster begins with. */
function session(
  options: Partial<HealthCheckPlan> & { readonly hasTraffic?: boolean; readonly random?: number } = {},
) {
  const clock = new FakeClock();
  const health = { ...uncheckedHealth, isFailed: true };
  const stats = healthCheckStats(new EnvoyStats(new MetricRegistry()), "web");
  let answer: ((result: ProbeResult) => void) | undefined;
  let checks = 0;
  let changes = 0;
  const one = new HealthCheckSession({
    plan: healthCheckPlan(options),
    clock,
    random: () => options.random ?? 0,
    stats,
    health,
    hasTraffic: () => options.hasTraffic ?? true,
    createProbe: (onResult) => ({
      check() {
        checks += 1;
        answer = onResult;
      },
      cancel() {
        answer = undefined;
      },
    }),
    onChecked(hasChanged) {
      if (hasChanged) changes += 1;
    },
  });
  one.start();
  const give = (result: ProbeResult) => {
    assert.ok(answer, "a check is under way");
    const reply = answer;
    answer = undefined;
    reply(result);
  };
  return {
    clock,
    health,
    stats,
    one,
    give,
    checks: () => checks,
    changes: () => changes,
    /** Answers each of the next checks, and says after which the endpoint was healthy. */
    async play(...results: readonly ProbeResult[]): Promise<string> {
      let states = "";
      for (const result of results) {
        if (!answer) await clock.advance(5_000);
        give(result);
        states += health.isFailed ? "x" : ".";
      }
      return states;
    },
  };
}

describe("a health check session", () => {
  const cases: readonly {
    readonly name: string;
    readonly results: readonly ProbeResult[];
    readonly states: string;
  }[] = [
    { name: "believes the first check", results: [healthy], states: "." },
    {
      name: "needs healthy_threshold successes after that",
      results: [refused, healthy, healthy],
      states: "xx.",
    },
    {
      name: "counts successes in a row only",
      results: [refused, healthy, refused, healthy, healthy],
      states: "xxxx.",
    },
    { name: "believes an answer that says so at once", results: [healthy, refused], states: ".x" },
    {
      name: "needs unhealthy_threshold network failures",
      results: [healthy, unreachable, unreachable, unreachable],
      states: "...x",
    },
    {
      name: "counts retriable statuses like network failures",
      results: [healthy, retriable, unreachable, retriable],
      states: "...x",
    },
    {
      name: "counts failures in a row only",
      results: [healthy, unreachable, unreachable, healthy, unreachable, unreachable, unreachable],
      states: "......x",
    },
  ];
  for (const { name, results, states } of cases) {
    it(name, async () => assert.equal(await session().play(...results), states));
  }

  it("waits as long as the state asks for", async () => {
    const s = session({
      intervalMs: 1_000,
      unhealthyIntervalMs: 2_000,
      unhealthyEdgeIntervalMs: 3_000,
      healthyEdgeIntervalMs: 4_000,
    });
    const dueAfter = async (result: ProbeResult) => {
      const before = s.checks();
      s.give(result);
      let ms = 0;
      for (; s.checks() === before; ms += 1_000) await s.clock.advance(1_000);
      return ms;
    };
    assert.equal(await dueAfter(healthy), 1_000, "healthy: interval");
    assert.equal(await dueAfter(unreachable), 3_000, "failing: unhealthy_edge_interval");
    assert.equal(await dueAfter(unreachable), 3_000);
    assert.equal(await dueAfter(unreachable), 2_000, "failed: unhealthy_interval");
    assert.equal(await dueAfter(healthy), 4_000, "recovering: healthy_edge_interval");
    assert.equal(await dueAfter(healthy), 1_000);
  });

  it("asks rarely while the cluster has no traffic", async () => {
    const s = session({ hasTraffic: false, noTrafficIntervalMs: 60_000, noTrafficHealthyIntervalMs: 90_000 });
    s.give(healthy);
    await s.clock.advance(89_999);
    assert.equal(s.checks(), 1);
    await s.clock.advance(1);
    assert.equal(s.checks(), 2);
    s.give(refused);
    await s.clock.advance(60_000);
    assert.equal(s.checks(), 3);
  });

  it("adds both kinds of jitter, and the initial one before the first check", async () => {
    const s = session({
      initialJitterMs: 100,
      intervalJitterMs: 100,
      intervalJitterPercent: 50,
      random: 0.5,
    });
    assert.equal(s.checks(), 0);
    await s.clock.advance(50);
    assert.equal(s.checks(), 1);
    s.give(healthy);
    await s.clock.advance(5_000 + 1_250 + 49);
    assert.equal(s.checks(), 1);
    await s.clock.advance(1);
    assert.equal(s.checks(), 2);
  });

  it("fails a check that is not answered in time, and says so", async () => {
    const s = session({ unhealthyThreshold: 1 });
    await s.play(healthy);
    await s.clock.advance(5_000);
    await s.clock.advance(1_000);
    assert.deepEqual([s.health.isFailed, s.health.isTimedOut], [true, true]);
    assert.equal(s.stats.networkFailure.value, 1);
    assert.equal(await s.play(refused), "x");
    assert.equal(s.health.isTimedOut, false);
  });

  it("keeps an endpoint that says it is degraded, and tells the balancer both ways", async () => {
    const s = session();
    await s.play(healthy, degraded);
    assert.deepEqual([s.health.isDegraded, s.stats.degraded.value, s.changes()], [true, 1, 2]);
    await s.play(healthy);
    assert.deepEqual([s.health.isDegraded, s.stats.degraded.value, s.changes()], [false, 0, 3]);
  });

  it("leaves out at once what asks for it, until it is healthy again", async () => {
    const s = session();
    await s.play(healthy);
    s.one.failPassively();
    assert.deepEqual([s.health.isFailed, s.health.isExcluded, s.stats.passiveFailure.value], [true, true, 1]);
    await s.play(healthy, healthy);
    assert.deepEqual([s.health.isFailed, s.health.isExcluded], [false, false]);
  });

  it("tells the balancer when an endpoint that did not count does", async () => {
    const s = session();
    s.health.isPending = true;
    await s.play(refused);
    assert.deepEqual([s.health.isPending, s.changes()], [false, 1]);
  });

  it("counts by Envoy's names, and takes back its gauges when it stops", async () => {
    const s = session();
    await s.play(healthy, healthy, unreachable);
    const { attempt, success, failure, networkFailure, healthy: gauge } = s.stats;
    assert.deepEqual(
      [attempt.value, success.value, failure.value, networkFailure.value, gauge.value],
      [3, 2, 1, 1, 1],
    );
    s.one.stop();
    assert.equal(gauge.value, 0);
    assert.equal(s.clock.pendingTimers, 0);
  });
});
