import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import type { Mesh } from "../model/mesh.ts";
import type { Workload } from "../registry/workload.ts";
import { MetricHistory } from "../telemetry/metric-history.ts";
import { keptMetrics, type Labels, type Sample } from "../telemetry/sample.ts";
import { buildView } from "./build-view.ts";

function workload(service: string, more: Partial<Workload> = {}): Workload {
  return {
    id: `${service}-v1.default`,
    name: `${service}-v1`,
    workloadName: `${service}-v1`,
    namespace: "default",
    serviceAccount: service,
    service,
    labels: { app: service, version: "v1" },
    addresses: [],
    ports: [],
    interception: "REDIRECT",
    upstreams: [],
    isHealthy: true,
    hasSidecar: true,
    ...more,
  };
}

const inbound: Labels = {
  reporter: "destination",
  source_principal: "spiffe://cluster.local/ns/default/sa/web",
  source_workload: "web-v1",
  source_workload_namespace: "default",
  connection_security_policy: "mutual_tls",
  response_code: "200",
};

async function viewOf(
  workloads: readonly Workload[],
  samplesOf: (workload: Workload, share: number) => Sample[],
) {
  const clock = new FakeClock();
  const history = new MetricHistory({ clock });
  for (const one of workloads) history.record(one.id, samplesOf(one, 0));
  await clock.advance(10_000);
  for (const one of workloads) history.record(one.id, samplesOf(one, 1));
  const external = { namespace: "default", name: "api", hostname: "api.example.com", isExternal: true };
  return buildView({
    signals: {
      windows: history.windows(10_000),
      workloads,
      trustDomain: "cluster.local",
      domainSuffix: "cluster.local",
      nowMs: clock.now(),
    },
    mesh: { services: new Map([["api.example.com", external]]), workloads: new Map() } as unknown as Mesh,
    workloads: workloads.map(({ labels, ports: _, ...one }) => ({
      ...one,
      version: labels.version ?? "",
      ports: [],
      isConnected: true,
    })),
    proxies: [],
    problems: [],
    events: [{ number: 7, atMs: 1, kind: "apply", message: "revision 1" }],
    about: {
      atMs: clock.now(),
      startedAtMs: 0,
      version: "test",
      revision: 1,
      windowSeconds: 10,
      droppedSeries: 0,
      rootNotAfterMs: 0,
      hasTraces: false,
    },
  });
}

test("services, versions, edges and workloads are one row each, with what is known of them", async () => {
  const view = await viewOf(
    [workload("web"), workload("reviews", { isHealthy: false })],
    ({ service }, share) =>
      service === "reviews"
        ? [
            { metric: keptMetrics.requests, labels: inbound, value: 1_234 * share },
            { metric: keptMetrics.certificateNotAfter, labels: {}, value: 99 },
            { metric: keptMetrics.loopUtilization, labels: {}, value: 0.25 },
          ]
        : [{ metric: keptMetrics.loopUtilization, labels: {}, value: 0.5 }],
  );
  const { services, versions, edges, workloads, events } = view.tables;
  assert.deepEqual(Object.keys(services).sort(), ["/api.example.com", "default/reviews", "default/web"]);
  assert.equal(services["default/reviews"]!.requestsPerSecond, 123);
  assert.equal(services["default/reviews"]!.healthy, 0);
  assert.equal(services["/api.example.com"]!.isExternal, true);
  assert.equal(versions["default/reviews/v1"]!.requestsPerSecond, 123);
  assert.deepEqual(Object.keys(edges), ["default/web>default/reviews"]);
  assert.equal(edges["default/web>default/reviews"]!.securedRate, 1);
  assert.equal(workloads["reviews-v1.default"]!.certificateNotAfterMs, 99_000);
  assert.equal(view.mesh.requestsPerSecond, 123);
  assert.equal(view.mesh.loopUtilization, 0.5, "the busiest loop is the mesh's");
  assert.deepEqual(Object.keys(events), ["7"]);
});

test("of a mesh that is too large the busiest parts are shown, and the rest is counted", async () => {
  const many = Array.from({ length: 2_100 }, (_, i) => workload(`service-${i}`));
  const view = await viewOf(many, ({ service }, share) =>
    service === "service-2099" ? [{ metric: keptMetrics.requests, labels: inbound, value: 10 * share }] : [],
  );
  assert.equal(Object.keys(view.tables.services).length, 2_000);
  assert.ok(view.tables.services["default/service-2099"]);
  assert.equal(view.mesh.leftOut, 101);
});
