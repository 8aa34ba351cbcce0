import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MetricRegistry } from "@weft/base/metric-registry";
import { FakeClock } from "@weft/testkit/fake-clock";
import {
  degraded,
  healthCheckPlan,
  healthy,
  refused,
  scriptedProbes,
} from "../health-check/health-check-fixture.ts";
import type { ProbeResult } from "../health-check/probe.ts";
import { EnvoyStats } from "../telemetry/envoy-stats.ts";
import {
  clusterPlan,
  defaultOutlier,
  endpoint,
  locality,
  noContext,
  seededRandom,
} from "./cluster-fixture.ts";
import { ClusterManager } from "./cluster-manager.ts";
import type { ClusterPlan, EndpointPlan } from "./cluster-plan.ts";

/** A cluster whose endpoints answer their checks as `answers` says, by host; what is missing never answers. */
function checked(answers: Record<string, ProbeResult>, options: Partial<ClusterPlan> = {}) {
  const clock = new FakeClock();
  const failed: string[] = [];
  const removed: string[] = [];
  const manager = new ClusterManager({
    clock,
    stats: new EnvoyStats(new MetricRegistry()),
    random: seededRandom(3),
    createProbe: scriptedProbes((host) => answers[host]),
    onEndpointFailed: (host) => failed.push(host.addressText),
    onEndpointRemoved: (host) => removed.push(host.addressText),
  });
  const plan = clusterPlan({
    discovery: { kind: "eds", serviceName: "web" },
    healthCheck: healthCheckPlan({ noTrafficIntervalMs: 5_000, noTrafficHealthyIntervalMs: 5_000 }),
    ...options,
  });
  manager.setCluster(plan);
  const cluster = manager.get("web")!;
  return {
    clock,
    manager,
    cluster,
    failed,
    removed,
    plan,
    set: (...hosts: readonly (string | EndpointPlan)[]) =>
      manager.setEndpoints("web", [
        locality(hosts.map((host) => (typeof host === "string" ? endpoint(host) : host))),
      ]),
    used: () => {
      const used = new Set<string>();
      for (let i = 0; i < 200; i++)
        used.add(cluster.pick(noContext)?.addressText.replace(":80", "") ?? "none");
      return [...used].sort().join(" ");
    },
    host: (name: string) => [...cluster.endpoints].find(({ addressText }) => addressText === `${name}:80`),
  };
}

describe("a cluster with health checks", () => {
  it("uses only endpoints whose checks succeed", () => {
    const c = checked({ a: healthy, b: healthy, c: refused }, { panicThresholdPercent: 0 });
    c.set("a", "b", "c", "silent");
    assert.equal(c.used(), "a b");
  });

  it("is warm once every endpoint has been checked", async () => {
    const c = checked({ a: healthy });
    c.set("a", "silent");
    assert.equal(c.manager.isWarm, false);
    await c.clock.advance(1_000);
    assert.equal(c.manager.isWarm, true);
    const empty = checked({});
    empty.set();
    assert.equal(empty.manager.isWarm, true);
  });

  it("follows checks that change their mind", async () => {
    const answers: Record<string, ProbeResult> = { a: healthy, b: healthy };
    const c = checked(answers);
    c.set("a", "b");
    answers.b = refused;
    await c.clock.advance(5_000);
    assert.equal(c.used(), "a");
    answers.b = healthy;
    await c.clock.advance(5_000);
    assert.equal(c.used(), "a", "one success of two");
    await c.clock.advance(5_000);
    assert.equal(c.used(), "a b");
  });

  it("uses degraded endpoints only for what the others cannot take", () => {
    const c = checked({ a: healthy, b: degraded, c: refused, d: refused }, { panicThresholdPercent: 0 });
    c.set("a", "b");
    assert.equal(c.used(), "a b");
    const enough = checked({ a: healthy, b: healthy, c: healthy, d: degraded });
    enough.set("a", "b", "c", "d");
    assert.equal(enough.used(), "a b c");
  });

  it("does not check, and uses, an endpoint that says so", () => {
    const c = checked({});
    const isDisabled = { address: undefined, port: undefined, hostname: "", isDisabled: true };
    c.set({ ...endpoint("a"), healthCheck: isDisabled });
    assert.equal(c.used(), "a");
  });

  it("keeps an endpoint that discovery drops as long as its checks succeed", async () => {
    const answers: Record<string, ProbeResult> = { a: healthy, b: healthy };
    const c = checked(answers);
    c.set("a", "b");
    c.set("a");
    assert.equal(c.used(), "a b");
    assert.equal(c.host("b")!.isPendingRemoval, true);
    answers.b = refused;
    await c.clock.advance(5_000);
    assert.equal(c.used(), "a");
    assert.deepEqual([c.cluster.endpoints.size, c.removed], [1, ["b:80"]]);
  });

  it("takes it back when discovery names it again, and drops it at once with ignore_health_on_host_removal", () => {
    const c = checked({ a: healthy, b: healthy });
    c.set("a", "b");
    const before = c.host("b");
    c.set("a");
    c.set("a", "b");
    assert.equal(c.host("b"), before);
    assert.equal(before!.isPendingRemoval, false);
    const strict = checked({ a: healthy, b: healthy }, { ignoresHealthOnRemoval: true });
    strict.set("a", "b");
    strict.set("a");
    assert.equal(strict.used(), "a");
  });

  it("panics over endpoints that were not checked, unless they are not to count", () => {
    const hosts = ["a", "x", "y", "z"];
    const counted = checked({ a: healthy });
    counted.set(...hosts);
    assert.equal(counted.used(), "a x y z");
    const ignored = checked({ a: healthy }, { ignoresUncheckedEndpoints: true });
    ignored.set(...hosts);
    assert.equal(ignored.used(), "a");
    ignored.cluster.collect();
    assert.equal(ignored.cluster.allStats.membership.excluded.value, 3);
  });

  it("leaves an endpoint out at once that asks for it in a response", () => {
    const c = checked({ a: healthy, b: healthy });
    c.set("a", "b");
    c.cluster.failPassively(c.host("b")!);
    assert.equal(c.used(), "a");
  });

  it("closes connections of an endpoint that fails only where told to", async () => {
    for (const closesConnectionsOnFailure of [true, false]) {
      const answers: Record<string, ProbeResult> = { a: healthy, b: healthy };
      const c = checked(answers, { closesConnectionsOnFailure });
      c.set("a", "b");
      answers.b = refused;
      await c.clock.advance(5_000);
      assert.deepEqual(c.failed, closesConnectionsOnFailure ? ["b:80"] : []);
    }
  });

  it("goes on checking over a change of plan, and forgets what was found when checks are removed", async () => {
    const c = checked({ a: healthy, b: refused });
    c.set("a", "b");
    c.manager.setCluster({ ...c.plan, connectTimeoutMs: 1, fingerprint: "next" });
    assert.equal(c.used(), "a");
    assert.equal(c.cluster.allStats.membership.change.value, 1);
    c.manager.setCluster({ ...c.plan, healthCheck: undefined, fingerprint: "last" });
    assert.equal(c.used(), "a b");
    c.manager.close();
    assert.equal(c.clock.pendingTimers, 0);
  });

  it("ends the ejection of an endpoint whose check makes it healthy again", async () => {
    const answers: Record<string, ProbeResult> = { a: healthy, b: healthy };
    const outlier = { consecutive5xx: 1, releasesOnCheck: true };
    const c = checked(answers, { outlier: { ...defaultOutlier, ...outlier } });
    c.set("a", "b");
    c.cluster.report(c.host("b")!, { kind: "response", status: 500 });
    assert.equal(c.used(), "a");
    answers.b = refused;
    await c.clock.advance(5_000);
    answers.b = healthy;
    await c.clock.advance(10_000);
    assert.equal(c.used(), "a b");
  });
});
