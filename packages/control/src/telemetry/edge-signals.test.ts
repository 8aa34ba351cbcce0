import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import type { StatsGroup } from "../api/protocol.ts";
import type { Workload } from "../registry/workload.ts";
import { edgeSignals } from "./edge-signals.ts";
import { keepSample } from "./keep-sample.ts";
import { MetricHistory } from "./metric-history.ts";
import { keptMetrics, type Labels } from "./sample.ts";

function workload(service: string, version: string, more: Partial<Workload> = {}): Workload {
  return {
    id: `${service}-${version}.default`,
    name: `${service}-${version}`,
    workloadName: `${service}-${version}`,
    namespace: "default",
    serviceAccount: service,
    service,
    labels: { app: service, version },
    addresses: ["10.0.0.1"],
    ports: [],
    interception: "REDIRECT",
    upstreams: [],
    isHealthy: true,
    hasSidecar: true,
    ...more,
  };
}

const web = workload("web", "v1");
const reviews = [workload("reviews", "v1"), workload("reviews", "v2")];

function inbound(more: Labels = {}): Labels {
  return {
    reporter: "destination",
    source_principal: "spiffe://cluster.local/ns/default/sa/web",
    source_workload: "web-v1",
    source_workload_namespace: "default",
    connection_security_policy: "mutual_tls",
    response_code: "200",
    ...more,
  };
}

/** What a window of 10 s shows in which each of these counted so many requests. */
async function edgesOf(
  workloads: readonly Workload[],
  counted: readonly (readonly [exporter: Workload, labels: Labels, requests: number])[],
  by: StatsGroup = "service",
) {
  const clock = new FakeClock();
  const history = new MetricHistory({ clock });
  const record = (share: number) => {
    for (const { id } of workloads) {
      const own = counted.filter(([exporter]) => exporter.id === id);
      const samples = own.flatMap(
        ([, labels, requests]) =>
          keepSample({ metric: keptMetrics.requests, labels, value: requests * share }) ?? [],
      );
      history.record(id, samples);
    }
  };
  record(0);
  await clock.advance(10_000);
  record(1);
  const names = { trustDomain: "cluster.local", domainSuffix: "cluster.local" };
  const rows = edgeSignals({ windows: history.windows(10_000), workloads, nowMs: clock.now(), ...names }, by);
  return rows.map((row) => ({ ...row, path: `${row.from.name} → ${row.to.name}` }));
}

test("instances and versions add up to one edge between their services", async () => {
  const rows = await edgesOf(
    [web, ...reviews],
    [
      [reviews[0]!, inbound(), 60],
      [reviews[1]!, inbound(), 20],
      [reviews[1]!, inbound({ response_code: "500" }), 20],
    ],
  );
  assert.equal(rows.length, 1);
  assert.equal(rows[0]!.path, "web → reviews");
  assert.equal(rows[0]!.requestsPerSecond, 10);
  assert.equal(rows[0]!.successRate, 0.8);
  assert.equal(rows[0]!.securedRate, 1);
  assert.equal(rows[0]!.to.identity, "spiffe://cluster.local/ns/default/sa/reviews");
});

test("by version each version is an end of its own", async () => {
  const rows = await edgesOf([web, ...reviews], [[reviews[1]!, inbound(), 10]], "version");
  assert.deepEqual(
    rows.map(({ path }) => path),
    ["web v1 → reviews v2"],
  );
});

const callers: readonly (readonly [what: string, labels: Labels, from: string, isOutside: boolean])[] = [
  [
    "a name its certificate does not bear out is not believed",
    { source_workload: "reviews-v1" },
    "web",
    false,
  ],
  ["a caller without certificate is nobody", { source_principal: "unknown" }, "unknown", true],
  [
    "an identity that nobody registered keeps its own name",
    { source_principal: "spiffe://elsewhere/ns/a/sa/b" },
    "b",
    true,
  ],
];
for (const [what, labels, from, isOutside] of callers) {
  test(what, async () => {
    const [row] = await edgesOf([web, ...reviews], [[reviews[0]!, inbound(labels), 10]]);
    assert.equal(row!.from.name, from);
    assert.equal(row!.from.isOutside, isOutside);
  });
}

test("refusals are counted apart from failures", async () => {
  const [row] = await edgesOf([web, ...reviews], [[reviews[0]!, inbound({ response_code: "403" }), 50]]);
  assert.equal(row!.deniedPerSecond, 5);
  assert.equal(row!.successRate, 1);
});

const outbound = { reporter: "source", response_code: "200", response_flags: "-" };
const reached = "spiffe://cluster.local/ns/default/sa/reviews";
const reviewsHost = "reviews.default.svc.cluster.local";

test("what a caller saw of a call that arrived is not counted again", async () => {
  const seen = { ...outbound, destination_service: reviewsHost, destination_principal: reached };
  assert.deepEqual(await edgesOf([web, ...reviews], [[web, seen, 10]]), []);
});

test("in plaintext between sidecars a call is counted by its destination alone", async () => {
  const plain = inbound({ source_principal: "unknown", connection_security_policy: "none" });
  const seen = { ...outbound, destination_service: reviewsHost, destination_principal: "unknown" };
  const rows = await edgesOf(
    [web, ...reviews],
    [
      [reviews[0]!, plain, 10],
      [web, seen, 10],
    ],
  );
  assert.deepEqual(
    rows.map(({ path, requestsPerSecond }) => [path, requestsPerSecond]),
    [["unknown → reviews", 1]],
  );
});

test("calls that never arrived are on their edge", async () => {
  const seen = { ...outbound, response_code: "503", response_flags: "UH", destination_service: reviewsHost };
  const [row] = await edgesOf([web, ...reviews], [[web, seen, 20]]);
  assert.equal(row!.path, "web → reviews");
  assert.equal(row!.undeliveredPerSecond, 2);
  assert.equal(row!.successRate, 0);
});

test("calls that leave the mesh, and calls to what has no sidecar, are counted by their callers", async () => {
  const bare = workload("ledger", "v1", { hasSidecar: false });
  const rows = await edgesOf(
    [web, bare],
    [
      [web, { ...outbound, destination_service: "api.example.com" }, 10],
      [web, { ...outbound, destination_service: "ledger.default.svc.cluster.local" }, 10],
    ],
  );
  assert.deepEqual(
    rows.map(({ path, to }) => [path, to.isOutside]),
    [
      ["web → api.example.com", true],
      ["web → ledger", false],
    ],
  );
});
