import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MetricRegistry } from "@weft/base/metric-registry";
import { FakeClock } from "@weft/testkit/fake-clock";
import { EnvoyStats } from "../telemetry/envoy-stats.ts";
import { clusterPlan, endpoint, locality, noContext, seededRandom } from "./cluster-fixture.ts";
import { ClusterManager, type ClusterManagerOptions } from "./cluster-manager.ts";

function setUp(options: Partial<ClusterManagerOptions> = {}) {
  const clock = new FakeClock();
  const stats = new EnvoyStats(new MetricRegistry());
  return {
    clock,
    stats,
    clusters: new ClusterManager({ clock, stats, random: seededRandom(1), ...options }),
  };
}

const addresses = (clusters: ClusterManager) =>
  [...(clusters.get("web")?.endpoints ?? [])].map((host) => host.addressText).sort();

describe("clusters", () => {
  it("are kept as they are by an update that changes nothing", () => {
    const { clusters } = setUp();
    const plan = clusterPlan({ discovery: { kind: "static", endpoints: [locality([endpoint("a")])] } });
    clusters.setCluster(plan);
    const before = clusters.get("web")!;
    const host = before.pick(noContext);
    clusters.setCluster({ ...plan });
    assert.equal(clusters.get("web"), before);
    assert.equal(before.pick(noContext), host);
    assert.equal(before.allStats.membership.change.value, 1);
  });

  it("of EDS wait for their endpoints, and an empty answer ends the wait", () => {
    let warmed = 0;
    const { clusters } = setUp({ onWarm: () => (warmed += 1) });
    clusters.setCluster(clusterPlan({ discovery: { kind: "eds", serviceName: "web" } }));
    assert.equal(clusters.isWarm, false);
    clusters.setEndpoints("web", []);
    assert.equal(clusters.isWarm, true);
    assert.equal(warmed, 1);
    clusters.setEndpoints("web", [locality([endpoint("a")])]);
    assert.deepEqual(addresses(clusters), ["a:80"]);
  });

  it("drain all pools and take their statistics along when they go", () => {
    const gone: string[] = [];
    const { clusters, stats } = setUp({
      onEndpointRemoved: (host, cluster) => gone.push(`${cluster.name} ${host.addressText}`),
    });
    clusters.setCluster(
      clusterPlan({ discovery: { kind: "static", endpoints: [locality([endpoint("a")])] } }),
    );
    clusters.removeCluster("web");
    assert.equal(clusters.get("web"), undefined);
    assert.deepEqual(gone, ["web a:80"]);
    const left = [...stats.registry.families].filter(
      (family) => family.labelNames[0] === "envoy_cluster_name" && [...family.series].length > 0,
    );
    assert.deepEqual(left, []);
  });
});

describe("DNS", () => {
  type Answer = readonly string[] | Error;

  function withDns(
    kind: "strict-dns" | "logical-dns",
    answers: Record<string, Answer>,
    removed: string[] = [],
  ) {
    const asked: string[] = [];
    const made = setUp({
      onEndpointRemoved: (host) => removed.push(host.addressText),
      resolve: async (host) => {
        asked.push(host);
        const answer = answers[host] ?? [];
        if (answer instanceof Error) throw answer;
        return answer.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
      },
    });
    const set = (hosts: readonly string[]) =>
      made.clusters.setCluster(
        clusterPlan({
          discovery: { kind, refreshMs: 5_000, endpoints: [locality(hosts.map((host) => endpoint(host)))] },
        }),
      );
    return { ...made, asked, answers, set };
  }

  it("gives a strict cluster every address, and follows changes", async () => {
    const { clusters, clock, answers, set } = withDns("strict-dns", { "web.test": ["10.0.0.1", "10.0.0.2"] });
    set(["web.test", "10.9.9.9"]);
    assert.equal(clusters.isWarm, false);
    await clock.advance(0);
    assert.equal(clusters.isWarm, true);
    assert.deepEqual(addresses(clusters), ["10.0.0.1:80", "10.0.0.2:80", "10.9.9.9:80"]);
    const kept = [...clusters.get("web")!.endpoints][0];
    answers["web.test"] = ["10.0.0.3", "10.0.0.1"];
    await clock.advance(5_000);
    assert.deepEqual(addresses(clusters), ["10.0.0.1:80", "10.0.0.3:80", "10.9.9.9:80"]);
    assert.equal([...clusters.get("web")!.endpoints][0], kept);
  });

  it("gives a logical cluster one endpoint that follows the first address and keeps its connections", async () => {
    const removed: string[] = [];
    const { clusters, clock, answers, set } = withDns(
      "logical-dns",
      { "web.test": ["10.0.0.5", "10.0.0.6"] },
      removed,
    );
    set(["web.test"]);
    await clock.advance(0);
    assert.deepEqual(addresses(clusters), ["10.0.0.5:80"]);
    const [endpointBefore] = clusters.get("web")!.endpoints;
    endpointBefore!.pool = "connections";
    answers["web.test"] = ["10.0.0.1", "10.0.0.5"];
    await clock.advance(5_000);
    assert.deepEqual(addresses(clusters), ["10.0.0.1:80"]);
    const [endpointAfter] = clusters.get("web")!.endpoints;
    assert.equal(endpointAfter, endpointBefore);
    assert.deepEqual(endpointAfter!.address, { kind: "ip", host: "10.0.0.1", port: 80 });
    assert.deepEqual([endpointAfter!.pool, removed], ["connections", []]);
  });

  it("asks again after the shortest time to live where that is respected, plus jitter", async () => {
    let asked = 0;
    const made = setUp({
      random: () => 0.5,
      resolve: async (_host, wantsTtl) => {
        assert.equal(wantsTtl, true);
        asked += 1;
        return [30, 20, undefined].map((ttlSeconds, i) => ({
          address: `10.0.0.${i}`,
          family: 4,
          ttlSeconds,
        }));
      },
    });
    made.clusters.setCluster(
      clusterPlan({
        discovery: {
          kind: "strict-dns",
          refreshMs: 5_000,
          respectsTtl: true,
          jitterMs: 2_000,
          endpoints: [locality([endpoint("web.test")])],
        },
      }),
    );
    await made.clock.advance(0);
    await made.clock.advance(20_999);
    assert.equal(asked, 1);
    await made.clock.advance(1);
    assert.equal(asked, 2);
  });

  it("asks again for a name that fails as dns_failure_refresh_rate says", async () => {
    let asked = 0;
    const made = setUp({
      random: () => 0,
      resolve: async () => {
        asked += 1;
        throw new Error("SERVFAIL");
      },
    });
    made.clusters.setCluster(
      clusterPlan({
        discovery: {
          kind: "strict-dns",
          refreshMs: 5_000,
          failureBackoff: { baseMs: 10_000, maxMs: 20_000 },
          endpoints: [locality([endpoint("web.test")])],
        },
      }),
    );
    for (const [afterMs, times] of [
      [0, 1],
      [9_999, 1],
      [1, 2],
      [20_000, 3],
      [20_000, 4],
    ] as const) {
      await made.clock.advance(afterMs);
      assert.equal(asked, times);
    }
  });

  it("keeps the last addresses when a name fails, and asks again", async () => {
    const { clusters, clock, answers, asked, set } = withDns("strict-dns", { "web.test": ["10.0.0.1"] });
    set(["web.test"]);
    await clock.advance(0);
    answers["web.test"] = new Error("SERVFAIL");
    await clock.advance(30_000);
    assert.deepEqual(addresses(clusters), ["10.0.0.1:80"]);
    assert.ok(asked.length > 5);
    assert.ok(clusters.get("web")!.allStats.membership.updateFailure.value > 0);
  });

  it("ends the wait although a name fails, and stops asking when the cluster goes", async () => {
    const { clusters, clock, set } = withDns("strict-dns", { "web.test": new Error("NXDOMAIN") });
    set(["web.test"]);
    await clock.advance(0);
    assert.equal(clusters.isWarm, true);
    assert.equal(clusters.get("web")!.pick(noContext), undefined);
    clusters.close();
    assert.equal(clock.pendingTimers, 0);
  });

  const families = [
    { family: undefined, expected: ["[::1]:80"] },
    { family: "v4-only", expected: ["127.0.0.1:80"] },
    { family: "v4-preferred", expected: ["127.0.0.1:80"] },
    { family: "all", expected: ["127.0.0.1:80", "[::1]:80"] },
  ] as const;
  for (const { family, expected } of families) {
    it(`with dns_lookup_family ${family ?? "AUTO"} uses ${expected.join(" and ")}`, async () => {
      const { clusters, clock } = withDns("strict-dns", { "web.test": ["127.0.0.1", "::1"] });
      const endpoints = [locality([endpoint("web.test")])];
      const discovery = { kind: "strict-dns", refreshMs: 5_000, endpoints } as const;
      clusters.setCluster(clusterPlan({ discovery: family ? { ...discovery, family } : discovery }));
      await clock.advance(0);
      assert.deepEqual(addresses(clusters), expected);
    });
  }
});
