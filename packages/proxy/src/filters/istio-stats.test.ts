import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Histogram, MetricRegistry } from "@weft/base/metric-registry";
import { FakeClock } from "@weft/testkit/fake-clock";
import type { Exchange } from "../layer/exchange.ts";
import { HeaderList } from "../layer/header-list.ts";
import { ResponseFlag } from "../layer/response-flag.ts";
import type { RouteMatch } from "../route/route-plan.ts";
import { connection, exchange, peerIdentity, request, response } from "../telemetry/exchange-fixture.ts";
import { encodePeerMetadata } from "../telemetry/peer-metadata.ts";
import type { ExchangeTrace } from "../tracing/exchange-trace.ts";
import { createIstioStatsFilter, createIstioTcpStatsFilter } from "./istio-stats.ts";
import { outbound, plan, spiffe, workload } from "./istio-stats-fixture.ts";

/** A match of a route of which nothing but the name is looked at. */
function routeNamed(name: string): RouteMatch {
  return {
    virtualHost: { name },
    route: {
      name,
      action: { kind: "direct-response", status: 502, body: Buffer.alloc(0) },
      requestEdits: undefined,
      responseEdits: undefined,
      filterConfigs: undefined,
      origin: undefined,
    },
  };
}

function labelsOf(registry: MetricRegistry, name: string): Record<string, string>[] {
  const family = [...registry.families].find((candidate) => candidate.name === name)!;
  return [...family.series].map(({ labels }) =>
    Object.fromEntries(family.labelNames.map((label, i) => [label, labels[i]!])),
  );
}

describe("Istio's request metrics", () => {
  it("of the caller name both ends, the service and both principals", () => {
    const registry = new MetricRegistry();
    createIstioStatsFilter(plan("source"), registry, new FakeClock()).onComplete!(outbound());
    assert.deepEqual(labelsOf(registry, "istio_requests_total"), [
      {
        reporter: "source",
        source_workload: "productpage-v1",
        source_canonical_service: "productpage",
        source_canonical_revision: "v1",
        source_workload_namespace: "default",
        source_principal: spiffe("productpage"),
        source_app: "productpage",
        source_version: "v1",
        source_cluster: "Kubernetes",
        destination_workload: "reviews-v1",
        destination_workload_namespace: "default",
        destination_principal: spiffe("reviews"),
        destination_app: "reviews",
        destination_version: "v1",
        destination_service: "reviews.default.svc.cluster.local",
        destination_canonical_service: "reviews",
        destination_canonical_revision: "v1",
        destination_service_name: "reviews",
        destination_service_namespace: "default",
        destination_cluster: "Kubernetes",
        request_protocol: "http",
        response_flags: "-",
        connection_security_policy: "unknown",
        response_code: "200",
        grpc_response_status: "",
      },
    ]);
  });

  it("name calls to hosts that nobody knows as Istio does, by the route that refused them or let them out", () => {
    const registry = new MetricRegistry();
    const filter = createIstioStatsFilter(plan("source"), registry, new FakeClock());
    const unknown = { cluster: undefined, endpoint: undefined, upstreamPeer: undefined };
    for (const name of ["block_all", "allow_any", "other"]) {
      filter.onComplete!(outbound({ ...unknown, match: routeNamed(name) }));
    }
    assert.deepEqual(
      labelsOf(registry, "istio_requests_total").map((labels) => [
        labels.destination_service,
        labels.destination_service_name,
      ]),
      [
        ["reviews:9080", "BlackHoleCluster"],
        ["reviews:9080", "PassthroughCluster"],
        ["reviews:9080", "reviews:9080"],
      ],
    );
  });

  it("of the called side take the caller from its certificate and metadata", () => {
    const registry = new MetricRegistry();
    const localService = { host: "reviews.default.svc.cluster.local", name: "reviews", namespace: "default" };
    const filter = createIstioStatsFilter(plan("destination", { localService }), registry, new FakeClock());
    const caller = connection({
      isTls: true,
      peer: peerIdentity({ uris: [spiffe("productpage")] }),
      ownUris: [spiffe("reviews")],
    });
    const call = exchange({
      connection: caller,
      request: request({ "x-envoy-peer-metadata": encodePeerMetadata(workload("productpage")) }),
    });
    filter.onRequest!(call);
    filter.onComplete!(call);
    const [labels] = labelsOf(registry, "istio_requests_total");
    assert.equal(labels!.reporter, "destination");
    assert.equal(labels!.source_workload, "productpage-v1");
    assert.equal(labels!.source_principal, spiffe("productpage"));
    assert.equal(labels!.destination_principal, spiffe("reviews"));
    assert.equal(labels!.destination_service, localService.host);
    assert.equal(labels!.connection_security_policy, "mutual_tls");
  });

  it("count, time and measure each call", () => {
    const registry = new MetricRegistry();
    const filter = createIstioStatsFilter(plan("source"), registry, new FakeClock());
    const call = outbound();
    filter.onComplete!(call);
    filter.onComplete!(call);
    const value = (name: string) =>
      [...[...registry.families].find((f) => f.name === name)!.series][0]!.metric;
    assert.equal((value("istio_requests_total") as { value: number }).value, 2);
    const duration = value("istio_request_duration_milliseconds") as Histogram;
    assert.deepEqual([duration.count, Math.round(duration.sum)], [2, 26]);
    assert.equal((value("istio_request_bytes") as Histogram).sum, 222);
    assert.equal((value("istio_response_bytes") as Histogram).sum, 444);
  });

  it("make one series per status, flags and gRPC status, and reuse it", () => {
    const registry = new MetricRegistry();
    const filter = createIstioStatsFilter(plan("source"), registry, new FakeClock());
    const grpc = { request: request({ "content-type": "application/grpc" }) };
    const base = outbound();
    const { cluster, endpoint: host } = base;
    const variants: Partial<Exchange>[] = [
      {},
      { response: response(503), flags: ResponseFlag.UpstreamOverflow },
      { response: response(503), flags: ResponseFlag.UpstreamConnectionFailure },
      { ...grpc, responseTrailers: new HeaderList(["grpc-status", "0"]) },
      { ...grpc, responseTrailers: new HeaderList(["grpc-status", "7"]) },
      { ...grpc, responseTrailers: new HeaderList(["grpc-status", "made up"]) },
    ];
    for (let i = 0; i < 3; i++) {
      for (const variant of variants) filter.onComplete!(outbound({ cluster, endpoint: host, ...variant }));
    }
    const series = labelsOf(registry, "istio_requests_total").map(
      (labels) =>
        `${labels.request_protocol} ${labels.response_code} ${labels.response_flags} ${labels.grpc_response_status}`,
    );
    assert.deepEqual(series, [
      "http 200 - ",
      "http 503 UO ",
      "http 503 UF ",
      "grpc 200 - 0",
      "grpc 200 - 7",
      "grpc 200 - 2",
    ]);
  });

  it("say unknown for a call that reached nobody", () => {
    const registry = new MetricRegistry();
    const call = exchange({ cluster: undefined, endpoint: undefined, response: response(404) });
    createIstioStatsFilter(plan("source"), registry, new FakeClock()).onComplete!(call);
    const [labels] = labelsOf(registry, "istio_requests_total");
    assert.equal(labels!.destination_workload, "unknown");
    assert.equal(labels!.destination_service, "reviews:9080");
    assert.equal(labels!.response_code, "404");
  });

  it("stay bounded when a client makes hosts up", () => {
    const registry = new MetricRegistry();
    const filter = createIstioStatsFilter(plan("source"), registry, new FakeClock());
    for (let i = 0; i < 2_000; i++) {
      filter.onComplete!(
        exchange({
          cluster: undefined,
          endpoint: undefined,
          request: request({}, { authority: `h${i}.test` }),
        }),
      );
    }
    assert.equal(labelsOf(registry, "istio_requests_total").length, 501);
  });

  it("leave removed tags empty and dropped metrics out", () => {
    const registry = new MetricRegistry();
    const overrides = [
      { metric: "", isDropped: false, tagsToRemove: ["source_principal"], tags: [] },
      { metric: "request_bytes", isDropped: true, tagsToRemove: [], tags: [] },
    ];
    createIstioStatsFilter(plan("source", { overrides }), registry, new FakeClock()).onComplete!(outbound());
    assert.equal(labelsOf(registry, "istio_requests_total")[0]!.source_principal, "");
    assert.deepEqual(labelsOf(registry, "istio_request_bytes"), []);
  });

  it("take labels of the configuration's own, and tell calls apart by them", () => {
    const registry = new MetricRegistry();
    const tags = [
      { name: "request_host", dimension: 0 },
      { name: "destination_version", dimension: 1 },
    ];
    const overrides = [{ metric: "requests_total", isDropped: false, tagsToRemove: [], tags }];
    const dimensions = [({ request }: Exchange) => request!.authority, () => "next"];
    const filter = createIstioStatsFilter(
      plan("source", { overrides, dimensions }),
      registry,
      new FakeClock(),
    );
    const calls = outbound();
    for (const authority of ["a", "b", "a"]) {
      filter.onComplete!({ ...calls, request: request({}, { authority }) });
    }
    const family = [...registry.families].find(({ name }) => name === "istio_requests_total")!;
    const seen = [...family.series].map(({ more, metric }) => [more, (metric as { value: number }).value]);
    assert.deepEqual(seen, [
      [[["request_host", "a"]], 2],
      [[["request_host", "b"]], 1],
    ]);
    assert.deepEqual(
      labelsOf(registry, "istio_requests_total").map((labels) => labels.destination_version),
      ["next", "next"],
    );
    const untouched = [...registry.families].find(({ name }) => name === "istio_response_bytes")!;
    assert.equal([...untouched.series].length, 1);
  });

  it("that were forgotten because nothing came begin anew, and lose no call", () => {
    const registry = new MetricRegistry();
    const filter = createIstioStatsFilter(plan("source"), registry, new FakeClock());
    const call = outbound();
    filter.onComplete!(call);
    for (const family of registry.families) for (const one of [...family.series]) family.removeSeries(one);
    registry.generation += 1;
    filter.onComplete!(call);
    filter.onComplete!(call);
    const family = [...registry.families].find(({ name }) => name === "istio_requests_total")!;
    assert.deepEqual(
      [...family.series].map(({ metric }) => (metric as { value: number }).value),
      [2],
    );
  });

  it("of more callers than there is room for count together, for the same reporter", () => {
    const registry = new MetricRegistry();
    const filter = createIstioStatsFilter(plan("destination", { maxSeries: 3 }), registry, new FakeClock());
    for (let i = 0; i < 10; i++) {
      const uris = [`spiffe://cluster.local/ns/default/sa/c${i}`];
      filter.onComplete!(exchange({ connection: connection({ isTls: true, peer: peerIdentity({ uris }) }) }));
    }
    const family = [...registry.families].find(({ name }) => name === "istio_requests_total")!;
    const values = [...family.series].map(({ metric }) => (metric as { value: number }).value);
    assert.deepEqual(values, [1, 1, 1, 7]);
    const last = labelsOf(registry, "istio_requests_total").at(-1)!;
    assert.equal(last.reporter, "destination");
    assert.equal(last.source_principal, "overflow");
  });

  it("have the trace of a call that is sampled as an example", () => {
    const registry = new MetricRegistry();
    const filter = createIstioStatsFilter(plan("source"), registry, new FakeClock());
    const trace = { context: { traceId: "0af7651916cd43dd8448eb211c80319c" } } as ExchangeTrace;
    filter.onComplete!(outbound());
    filter.onComplete!(outbound({ trace }));
    const family = [...registry.families].find(({ name }) => name === "istio_request_duration_milliseconds")!;
    const [{ metric }] = [...family.series] as unknown as [{ metric: Histogram }];
    assert.equal(metric.count, 2);
    assert.deepEqual(
      metric.exemplars!.filter((one) => one !== undefined).map(({ traceId }) => traceId),
      [trace.context.traceId],
    );
  });

  it("that are all dropped leave a call alone when it ends", () => {
    const overrides = [{ metric: "", isDropped: true, tagsToRemove: [], tags: [] }];
    const filter = createIstioStatsFilter(
      plan("source", { overrides }),
      new MetricRegistry(),
      new FakeClock(),
    );
    assert.equal(filter.onComplete, undefined);
    assert.ok(filter.onRequest, "peers still tell each other who they are");
  });
});

describe("Istio's TCP metrics", () => {
  it("count a connection when it is established and its bytes when it ends", () => {
    const registry = new MetricRegistry();
    const filter = createIstioTcpStatsFilter(plan("source"), registry, new FakeClock());
    const call = outbound({ request: undefined, response: undefined, protocol: "" });
    const value = (name: string) =>
      [...[...registry.families].find((f) => f.name === name)!.series].map(
        ({ metric }) => (metric as { value: number }).value,
      );
    assert.equal(filter.onConnection(call.connection), true);
    filter.onEstablished!(call);
    assert.deepEqual(value("istio_tcp_connections_opened_total"), [1]);
    assert.deepEqual(value("istio_tcp_connections_closed_total"), [0]);
    filter.onClose!(call);
    assert.deepEqual(value("istio_tcp_connections_opened_total"), [1]);
    assert.deepEqual(value("istio_tcp_connections_closed_total"), [1]);
    assert.deepEqual(value("istio_tcp_received_bytes_total"), [11]);
    assert.deepEqual(value("istio_tcp_sent_bytes_total"), [222]);
    assert.equal(labelsOf(registry, "istio_tcp_sent_bytes_total")[0]!.request_protocol, "tcp");
  });

  it("count the bytes of a connection that stays open, each once", async () => {
    const registry = new MetricRegistry();
    const clock = new FakeClock();
    const filter = createIstioTcpStatsFilter(plan("source", { tcpReportingMs: 2_000 }), registry, clock);
    const call = outbound({ request: undefined, response: undefined, protocol: "", bytesReceived: 0 });
    const received = () =>
      [...[...registry.families].find((f) => f.name === "istio_tcp_received_bytes_total")!.series].map(
        ({ metric }) => (metric as { value: number }).value,
      );
    filter.onEstablished!(call);
    call.bytesReceived = 30;
    await clock.advance(1_999);
    assert.deepEqual(received(), [0]);
    await clock.advance(1);
    assert.deepEqual(received(), [30]);
    call.bytesReceived = 70;
    await clock.advance(2_000);
    assert.deepEqual(received(), [70]);
    call.bytesReceived = 75;
    filter.onClose!(call);
    assert.deepEqual(received(), [75]);
  });
});
