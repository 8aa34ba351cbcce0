import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { UpstreamTlsPlan } from "../net/tls-plan.ts";
import { clusterPlan, clusterWith, endpoint, locality, noContext } from "./cluster-fixture.ts";

describe("endpoints over updates", () => {
  it("stay the same objects while their address stays, with counters and pool", () => {
    const { cluster } = clusterWith([locality([endpoint("a"), endpoint("b")])]);
    const [a] = [...cluster.endpoints];
    a!.activeRequests = 7;
    a!.pool = "connections";
    cluster.setEndpoints([locality([endpoint("b")]), locality([endpoint("a", { weight: 3 })])]);
    const again = [...cluster.endpoints].find((host) => host.addressText === "a:80");
    assert.equal(again, a);
    assert.equal(again!.plan.weight, 3);
  });

  it("are reported when they leave, once, and no longer picked", () => {
    const { cluster } = clusterWith([locality([endpoint("a"), endpoint("b")])]);
    const gone: string[] = [];
    cluster.onEndpointRemoved = (host) => gone.push(host.addressText);
    cluster.setEndpoints([locality([endpoint("b")])]);
    assert.deepEqual(gone, ["a:80"]);
    assert.equal(cluster.pick(noContext)!.addressText, "b:80");
    cluster.close();
    assert.deepEqual(gone, ["a:80", "b:80"]);
  });

  it("count once when listed twice", () => {
    const { cluster } = clusterWith([locality([endpoint("a")]), locality([endpoint("a")], { priority: 1 })]);
    assert.equal(cluster.endpoints.size, 1);
  });

  it("survive a changed plan when their transport is the same", () => {
    const { cluster } = clusterWith([locality([endpoint("a")])]);
    const before = cluster.pick(noContext);
    cluster.replacePlan(
      clusterPlan({
        discovery: { kind: "eds", serviceName: "web" },
        connectTimeoutMs: 1,
        balancer: { kind: "random" },
      }),
    );
    assert.equal(cluster.pick(noContext), before);
    assert.equal(cluster.plan.connectTimeoutMs, 1);
  });

  it("are replaced when their transport changes, so that no old connection is used", () => {
    const { cluster } = clusterWith([locality([endpoint("a")])]);
    const before = cluster.pick(noContext);
    const gone: unknown[] = [];
    cluster.onEndpointRemoved = (host) => gone.push(host);
    const tls = { sni: "a" } as UpstreamTlsPlan;
    cluster.replacePlan(
      clusterPlan({ discovery: { kind: "eds", serviceName: "web" }, transports: [{ match: [], tls }] }),
    );
    assert.equal(cluster.pick(noContext)!.tls, tls);
    assert.deepEqual(gone, [before]);
  });
});

describe("transports", () => {
  it("are chosen by endpoint metadata, first match wins, and counted by the name of the match", () => {
    const tls = { sni: "mesh" } as UpstreamTlsPlan;
    const mesh = { "envoy.transport_socket_match": { tlsMode: "istio" } };
    const { cluster } = clusterWith([locality([endpoint("in", { metadata: mesh }), endpoint("out")])], {
      transports: [
        { name: "tlsMode-istio", match: [["tlsMode", "istio"]], tls },
        { match: [], tls: undefined },
      ],
    });
    assert.equal(cluster.allStats.transportMatches("tlsMode-istio").value, 1);
    assert.equal(cluster.allStats.transportMatches("default").value, 1);
    const byName = new Map([...cluster.endpoints].map((host) => [host.addressText, host.tls]));
    assert.equal(byName.get("in:80"), tls);
    assert.equal(byName.get("out:80"), undefined);
  });
});

describe("original destinations", () => {
  const context = (port: number) =>
    ({ ...noContext, originalDestination: { kind: "ip", host: "10.0.0.9", port } }) as const;

  it("become endpoints when asked for, and leave when nobody uses them", async () => {
    const { cluster, clock } = clusterWith([], {
      discovery: { kind: "original-dst" },
      balancer: { kind: "cluster-provided" },
    });
    const gone: string[] = [];
    cluster.onEndpointRemoved = (host) => gone.push(host.addressText);
    const used = cluster.pick(context(80))!;
    used.activeRequests = 1;
    assert.equal(cluster.pick(context(80)), used);
    cluster.pick(context(81));
    assert.equal(cluster.pick(noContext), undefined);
    await clock.advance(10_000);
    assert.deepEqual(gone, ["10.0.0.9:81"]);
    used.activeRequests = 0;
    await clock.advance(10_000);
    assert.deepEqual(gone, ["10.0.0.9:81", "10.0.0.9:80"]);
    assert.equal(clock.pendingTimers, 0);
  });

  it("are connected to as a changed plan says, also while they are in use, and stay where it says the same", () => {
    const plan = (uri: string, connectTimeoutMs = 1_000) => {
      const tls = transports.get(uri) ?? ({ sni: uri } as UpstreamTlsPlan);
      transports.set(uri, tls);
      return clusterPlan({
        discovery: { kind: "original-dst" },
        transports: [{ match: [], tls }],
        connectTimeoutMs,
      });
    };
    const transports = new Map<string, UpstreamTlsPlan>();
    const { cluster } = clusterWith([], plan("one"));
    const gone: unknown[] = [];
    cluster.onEndpointRemoved = (host) => gone.push(host);
    const used = cluster.pick(context(80))!;
    used.activeRequests = 1;
    cluster.replacePlan(plan("one", 5));
    assert.equal(cluster.pick(context(80)), used);
    cluster.replacePlan(plan("two"));
    assert.deepEqual(gone, [used]);
    assert.equal(cluster.pick(context(80))!.tls, transports.get("two"));
    cluster.close();
  });

  it("are bounded", () => {
    const { cluster } = clusterWith([], { discovery: { kind: "original-dst" } });
    for (let port = 1; port <= 16_384; port++) assert.ok(cluster.pick(context(port)));
    assert.equal(cluster.pick(context(16_385)), undefined);
    cluster.close();
  });
});
