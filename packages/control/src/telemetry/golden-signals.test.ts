import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import type { Workload } from "../registry/workload.ts";
import { goldenSignals } from "./golden-signals.ts";
import { MetricHistory } from "./metric-history.ts";
import { quantile } from "./quantile.ts";
import { keptMetrics, type Labels, type Sample } from "./sample.ts";

function workload(service: string, version: string, instance = "1"): Workload {
  const name = `${service}-${version}-${instance}`;
  return {
    id: `${name}.default`,
    name,
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
  };
}

const inbound: Labels = {
  reporter: "destination",
  source_principal: "spiffe://cluster.local/ns/default/sa/productpage",
  connection_security_policy: "mutual_tls",
};

function requests(value: number, labels: Labels = {}): Sample {
  return { metric: keptMetrics.requests, labels: { ...inbound, response_code: "200", ...labels }, value };
}

function durations(counts: readonly number[]): Sample {
  const value = counts.reduce((sum, count) => sum + count, 0);
  return { metric: keptMetrics.duration, labels: inbound, value, buckets: { bounds: [1, 5, 10], counts } };
}

function setUp(options: { maxSeries?: number; maxExporters?: number } = {}) {
  const clock = new FakeClock();
  const history = new MetricHistory({ clock, ...options });
  const signals = (
    by: "service" | "workload" | "version",
    workloads: readonly Workload[],
    windowMs = 10_000,
  ) =>
    goldenSignals(
      {
        windows: history.windows(windowMs),
        workloads,
        trustDomain: "cluster.local",
        domainSuffix: "cluster.local",
        nowMs: clock.now(),
      },
      by,
    );
  return { clock, history, signals };
}

test("rate, success and latency are those of the window, not of all time", async () => {
  const { clock, history, signals } = setUp();
  const v1 = workload("reviews", "v1");
  history.record(v1.id, [
    requests(1000),
    requests(500, { response_code: "503" }),
    durations([1500, 0, 0, 0]),
  ]);
  await clock.advance(10_000);
  history.record(v1.id, [
    requests(1090),
    requests(510, { response_code: "503" }),
    durations([1500, 50, 50, 0]),
  ]);
  const [row] = signals("service", [v1]);
  assert.equal(row!.requestsPerSecond, 10);
  assert.equal(row!.successRate, 0.9);
  assert.equal(row!.p50Ms, 5);
  assert.equal(row!.p99Ms, 9.9);
  assert.equal(row!.securedRate, 1);
  assert.deepEqual(row!.peers, ["spiffe://cluster.local/ns/default/sa/productpage"]);
});

test("a counter that began again counts from 0 and never negative", async () => {
  const { clock, history, signals } = setUp();
  const v1 = workload("reviews", "v1");
  history.record(v1.id, [requests(1000), durations([1000, 0, 0, 0])]);
  await clock.advance(10_000);
  history.record(v1.id, [requests(20), durations([0, 20, 0, 0])]);
  const [row] = signals("service", [v1]);
  assert.equal(row!.requestsPerSecond, 2);
  assert.equal(row!.p50Ms, 3);
});

test("versions and instances add up to their service", async () => {
  const { clock, history, signals } = setUp();
  const workloads = [
    workload("reviews", "v1"),
    workload("reviews", "v2", "1"),
    workload("reviews", "v2", "2"),
  ];
  for (const { id } of workloads) history.record(id, [requests(0)]);
  await clock.advance(10_000);
  for (const { id } of workloads) history.record(id, [requests(100)]);
  assert.deepEqual(
    signals("service", workloads).map((row) => [row.name, row.instances, row.requestsPerSecond]),
    [["reviews", 3, 30]],
  );
  assert.deepEqual(
    signals("version", workloads).map((row) => [row.service, row.version, row.requestsPerSecond]),
    [
      ["reviews", "v1", 10],
      ["reviews", "v2", 20],
    ],
  );
});

test("a workload's export changes no other's row, whatever labels it sends", async () => {
  const { clock, history, signals } = setUp();
  const reviews = workload("reviews", "v1");
  const mallory = workload("mallory", "v1");
  history.record(mallory.id, [requests(0)]);
  await clock.advance(10_000);
  history.record(mallory.id, [requests(1000)]);
  const rows = signals("service", [reviews, mallory]);
  assert.equal(rows.find((row) => row.service === "reviews")!.requestsPerSecond, undefined);
});

test("what a client saw is not counted again for the server", async () => {
  const { clock, history, signals } = setUp();
  const v1 = workload("reviews", "v1");
  history.record(v1.id, [requests(0, { reporter: "source" })]);
  await clock.advance(10_000);
  history.record(v1.id, [requests(100, { reporter: "source" })]);
  assert.equal(signals("service", [v1])[0]!.requestsPerSecond, undefined);
});

const reached = "spiffe://cluster.local/ns/default/sa/reviews";
const endings: readonly (readonly [what: string, labels: Labels, rps: number, success: number])[] = [
  ["an injected abort", { response_flags: "FI", response_code: "500" }, 15, 0.667],
  ["an injected delay before an abort", { response_flags: "DI,FI", response_code: "503" }, 15, 0.667],
  ["no healthy endpoint", { response_flags: "UH", response_code: "503" }, 15, 0.667],
  ["a full connection pool", { response_flags: "UO", response_code: "503" }, 15, 0.667],
  ["retries that never connected", { response_flags: "URX,UF", response_code: "503" }, 15, 0.667],
  ["no route", { response_flags: "NR", response_code: "404" }, 15, 1],
  [
    "a gRPC call that never connected",
    { response_flags: "UF", response_code: "200", grpc_response_status: "14" },
    15,
    0.667,
  ],
  ["a timeout before any connection", { response_flags: "UT", response_code: "504" }, 15, 0.667],
  [
    "a timeout of a call that arrived",
    { response_flags: "UT", response_code: "504", destination_principal: reached },
    10,
    0.5,
  ],
  ["an answered failure", { response_flags: "-", response_code: "503" }, 10, 1],
  ["the last of several answered failures", { response_flags: "URX", response_code: "503" }, 10, 1],
  ["an injected delay alone", { response_flags: "DI", response_code: "200" }, 10, 1],
  ["a caller that went away", { response_flags: "DC", response_code: "0" }, 10, 1],
  [
    "a call to another service",
    { response_flags: "UH", response_code: "503", destination_service: "x" },
    10,
    1,
  ],
];
for (const [what, labels, rps, success] of endings) {
  test(`seen by its caller alone, ${what} makes ${rps} rps and a success of ${success}`, async () => {
    const { clock, history, signals } = setUp();
    const [v1, web] = [workload("reviews", "v1"), workload("web", "v1")];
    const destination_service = "reviews.default.svc.cluster.local";
    const seen = (value: number) =>
      requests(value, { reporter: "source", source_principal: "", destination_service, ...labels });
    history.record(v1.id, [requests(0)]);
    history.record(web.id, [seen(0)]);
    await clock.advance(10_000);
    history.record(v1.id, [requests(100)]);
    history.record(web.id, [seen(50)]);
    const [row] = signals("service", [v1, web]);
    assert.equal(row!.requestsPerSecond, rps);
    assert.equal(row!.undeliveredPerSecond, rps - 10);
    assert.equal(Number(row!.successRate!.toFixed(3)), success);
    assert.equal(row!.securedRate, 1, "what did not arrive says nothing of how calls arrive");
    assert.equal(signals("version", [v1])[0]!.requestsPerSecond, 10, "no version was chosen");
  });
}

test("a service that nothing reaches any more shows its failures", async () => {
  const { clock, history, signals } = setUp();
  const [v1, web] = [workload("reviews", "v1"), workload("web", "v1")];
  const seen = (value: number) =>
    requests(value, {
      reporter: "source",
      response_code: "503",
      response_flags: "UH",
      destination_service: "reviews.default.svc.cluster.local",
    });
  history.record(web.id, [seen(0)]);
  await clock.advance(10_000);
  history.record(web.id, [seen(30)]);
  const [row] = signals("service", [v1, web]);
  assert.deepEqual([row!.requestsPerSecond, row!.successRate, row!.securedRate], [3, 0, undefined]);
});

test("a gRPC failure inside a 200 is a failure, a client's own mistake is not", async () => {
  const { clock, history, signals } = setUp();
  const v1 = workload("reviews", "v1");
  const grpc = (status: string, value: number) => requests(value, { grpc_response_status: status });
  history.record(v1.id, []);
  await clock.advance(10_000);
  history.record(v1.id, [grpc("0", 70), grpc("5", 10), grpc("14", 20)]);
  assert.equal(signals("service", [v1])[0]!.successRate, 0.8);
});

test("open TCP connections are those opened and not closed", async () => {
  const { history, signals } = setUp();
  const v1 = workload("reviews", "v1");
  history.record(v1.id, [
    { metric: keptMetrics.tcpOpened, labels: inbound, value: 9 },
    { metric: keptMetrics.tcpClosed, labels: inbound, value: 4 },
  ]);
  assert.equal(signals("service", [v1])[0]!.tcpConnections, 5);
});

test("a certificate's age and remaining life count from the clock", async () => {
  const { clock, history, signals } = setUp();
  const v1 = workload("reviews", "v1");
  const nowSeconds = clock.now() / 1000;
  history.record(v1.id, [
    { metric: keptMetrics.certificateNotBefore, labels: {}, value: nowSeconds - 30 },
    { metric: keptMetrics.certificateNotAfter, labels: {}, value: nowSeconds + 270 },
  ]);
  const [row] = signals("service", [v1]);
  assert.equal(row!.certificateAgeSeconds, 30);
  assert.equal(row!.certificateExpiresInSeconds, 270);
});

test("a service is as saturated as its busiest data plane, and holds what all of them hold", async () => {
  const { history, signals } = setUp();
  const workloads = [workload("reviews", "v1"), workload("reviews", "v2")];
  for (const [i, { id }] of workloads.entries()) {
    history.record(id, [
      { metric: keptMetrics.loopUtilization, labels: {}, value: 0.2 + i * 0.5 },
      { metric: keptMetrics.memory, labels: {}, value: 50e6 },
    ]);
  }
  const [row] = signals("service", workloads);
  assert.equal(row!.loopUtilization, 0.7);
  assert.equal(row!.memoryBytes, 100e6);
  assert.equal(row!.pending, undefined);
});

test("a workload that fell silent has no rate", async () => {
  const { clock, history, signals } = setUp();
  const v1 = workload("reviews", "v1");
  history.record(v1.id, [requests(0)]);
  await clock.advance(5_000);
  history.record(v1.id, [requests(100)]);
  await clock.advance(10_001);
  assert.equal(signals("service", [v1])[0]!.requestsPerSecond, undefined);
});

test("series beyond the limit are dropped and counted, and added-up series stay exact", async () => {
  const { clock, history, signals } = setUp({ maxSeries: 2 });
  const v1 = workload("reviews", "v1");
  history.record(v1.id, []);
  await clock.advance(10_000);
  history.record(v1.id, [
    requests(40),
    requests(60),
    requests(5, { response_code: "404" }),
    requests(7, { response_code: "500" }),
  ]);
  const [row] = signals("service", [v1]);
  assert.equal(row!.requestsPerSecond, 10.5);
  assert.equal(history.droppedSeries, 1);
});

test("beyond the limit of workloads the one silent longest is forgotten", () => {
  const { history } = setUp({ maxExporters: 2 });
  history.record("a", []);
  history.record("b", []);
  history.record("a", []);
  history.record("c", []);
  assert.deepEqual(
    history.windows(10_000).map((window) => window.exporter),
    ["a", "c"],
  );
});

test("a busy exporter does not make the history longer than its age", async () => {
  const clock = new FakeClock();
  const history = new MetricHistory({ clock, maxAgeMs: 10_000, minSpacingMs: 1_000 });
  for (let i = 0; i <= 1_000; i++) {
    history.record("a", [requests(i)]);
    await clock.advance(100);
  }
  const [window] = history.windows(10_000);
  assert.ok(window!.elapsedMs >= 10_000 && window!.elapsedMs <= 11_000, `${window!.elapsedMs}`);
  assert.equal(window!.series[0]!.increase, window!.elapsedMs / 100);
});

const quantiles: readonly (readonly [string, readonly number[], number, number | undefined])[] = [
  ["no observations", [0, 0, 0, 0], 0.5, undefined],
  ["all in the first bucket", [10, 0, 0, 0], 0.5, 0.5],
  ["at a bound", [5, 5, 0, 0], 0.5, 1],
  ["interpolated", [0, 10, 0, 0], 0.25, 2],
  ["above every bound", [0, 0, 0, 10], 0.99, 10],
];
for (const [name, counts, q, expected] of quantiles) {
  test(`a quantile of ${name} is ${expected}`, () => {
    assert.equal(quantile({ bounds: [1, 5, 10], counts }, q), expected);
  });
}
