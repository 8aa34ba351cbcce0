import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { MetricRegistry } from "@weft/base/metric-registry";
import { renderPrometheusText } from "@weft/base/prometheus-text";
import { encodePeerMetadata, localPeerMetadata } from "@weft/proxy/telemetry/peer-metadata";
import {
  AccessLogType,
  type HTTPAccessLogEntry,
  HTTPAccessLogEntrySchema,
  TCPAccessLogEntrySchema,
} from "@weft/xds/gen/envoy/data/accesslog/v3/accesslog_pb";
import { metricsLogName, parseMetricsLogName } from "@weft/xds/metrics-log-name";
import { AccessLogMetrics } from "./access-log-metrics.ts";
import { parsePrometheusText } from "./parse-prometheus-text.ts";

const metadata = (name: string, namespace: string) =>
  localPeerMetadata({ WORKLOAD_NAME: name, NAMESPACE: namespace, LABELS: { app: name } });

function counted(run: (metrics: AccessLogMetrics) => void): Record<string, string>[] {
  const registry = new MetricRegistry();
  const principal = "spiffe://cluster.local/ns/default/sa/web";
  run(
    new AccessLogMetrics({
      registry,
      local: metadata("web", "default"),
      localService: { host: "web.default.svc.cluster.local", name: "web", namespace: "default" },
      localPrincipal: principal,
    }),
  );
  const families = parsePrometheusText(renderPrometheusText(registry), (n) => n === "istio_requests_total");
  return families.flatMap(({ series }) =>
    series.map(({ labels, value }) => ({ ...labels, count: String(value) })),
  );
}

function request(connection: string, principal: string, peer = "-"): HTTPAccessLogEntry {
  return create(HTTPAccessLogEntrySchema, {
    commonProperties: {
      customTags: { connection, peer },
      upstreamCluster: "inbound|8080||",
      tlsProperties: {
        peerCertificateProperties: { subjectAltName: [{ san: { case: "uri", value: principal } }] },
      },
    },
    request: { requestHeaders: {} },
    response: { responseCode: 200 },
  });
}

const inbound = { direction: "inbound", changes: [] } as const;
const outbound = { direction: "outbound", changes: [] } as const;
const api = "spiffe://cluster.local/ns/shop/sa/api";
const say = (name: string, namespace: string) => encodePeerMetadata(metadata(name, namespace));

test("what a peer said once is known for every later call of its connection, and for no other", () => {
  const series = counted((metrics) => {
    metrics.countRequest(inbound, request("1", api, say("api-v1", "shop")));
    metrics.countRequest(inbound, request("1", api));
    metrics.countRequest(inbound, request("2", api));
  });
  assert.deepEqual(
    series.map(({ source_workload, count }) => [source_workload, count]),
    [
      ["api-v1", "2"],
      ["unknown", "1"],
    ],
  );
});

test("a peer is believed only for the namespace that its certificate proves", () => {
  const series = counted((metrics) => {
    metrics.countRequest(inbound, request("1", api, say("bank", "finance")));
    metrics.countRequest(inbound, request("2", "", say("bank", "finance")));
    metrics.countRequest(inbound, request("3", api, "bm90aGluZw=="));
  });
  assert.deepEqual([...new Set(series.map(({ source_workload }) => source_workload))], ["unknown"]);
});

test("a connection of the same number after a restart is another peer's", () => {
  const series = counted((metrics) => {
    metrics.countRequest(inbound, request("1", api, say("api-v1", "shop")));
    metrics.countRequest(inbound, request("1", api, say("api-v2", "shop")));
    metrics.countRequest(inbound, request("1", api));
  });
  assert.deepEqual(
    series.map(({ source_workload, count }) => [source_workload, count]),
    [
      ["api-v1", "1"],
      ["api-v2", "2"],
    ],
  );
});

test("a request to a host that nobody knows is named by the route that refused it or let it out", () => {
  const series = counted((metrics) => {
    for (const [routeName, upstreamCluster] of [
      ["block_all", ""],
      ["allow_any", "PassthroughCluster"],
    ] as const) {
      const entry = request("1", "");
      Object.assign(entry.commonProperties!, { routeName, upstreamCluster });
      entry.request!.authority = "free.example";
      metrics.countRequest(outbound, entry);
    }
  });
  assert.deepEqual(
    series.map(({ destination_service, destination_service_name }) => [
      destination_service,
      destination_service_name,
    ]),
    [
      ["free.example", "BlackHoleCluster"],
      ["free.example", "PassthroughCluster"],
    ],
  );
});

test("names from requests cannot make series without end", () => {
  const series = counted((metrics) => {
    for (let i = 0; i < 12_000; i += 1) {
      const entry = request(String(i), api);
      entry.commonProperties!.upstreamCluster = "PassthroughCluster";
      entry.request!.authority = `host-${i}`;
      metrics.countRequest(outbound, entry);
    }
  });
  assert.equal(series.length, 1_001);
  assert.equal(
    series.reduce((sum, { count }) => sum + Number(count), 0),
    12_000,
  );
});

test("what a configuration changes of metrics rides on the name of the log, and is obeyed", () => {
  const changes = [
    { metric: "response_bytes", isDropped: true, tagsToRemove: [], tags: [] },
    {
      metric: "requests_total",
      isDropped: false,
      tagsToRemove: ["source_principal"],
      tags: [
        { name: "tenant", dimension: 0 },
        { name: "destination_version", dimension: 1 },
      ],
    },
  ];
  const name = metricsLogName({ direction: "inbound", changes });
  const log = parseMetricsLogName(name)!;
  assert.deepEqual(log, { direction: "inbound", changes });
  const series = counted((metrics) => {
    for (const tenant of ["red", "red", "-"]) {
      const entry = request("1", api, say("api-v1", "shop"));
      Object.assign(entry.commonProperties!.customTags, { "dimension.0": tenant, "dimension.1": "v9" });
      metrics.countRequest(log, entry);
    }
  });
  assert.deepEqual(
    series.map(({ tenant, destination_version, source_principal, count }) => [
      tenant,
      destination_version,
      source_principal,
      count,
    ]),
    [
      ["red", "v9", "", "2"],
      ["unknown", "v9", "", "1"],
    ],
  );
});

test("a log's name that says anything else is none of a metrics log", () => {
  for (const name of [
    "",
    "inbound ",
    "inbound {}",
    "inbound [1]",
    'inbound [{"metric":"a"}]',
    "calls",
    "inbound[]",
  ]) {
    assert.equal(parseMetricsLogName(name), undefined, name);
  }
});

test("a connection that is established before its client has proved who it is is opened by that client", () => {
  const registry = new MetricRegistry();
  const metrics = new AccessLogMetrics({
    registry,
    local: metadata("web", "default"),
    localService: undefined,
    localPrincipal: "",
  });
  const entry = (accessLogType: AccessLogType, principal: string) =>
    create(TCPAccessLogEntrySchema, {
      commonProperties: { ...request("1", principal).commonProperties!, accessLogType },
      connectionProperties: { receivedBytes: 5n, sentBytes: 5n },
    });
  metrics.countConnection(inbound, entry(AccessLogType.TcpUpstreamConnected, ""));
  metrics.countConnection(inbound, entry(AccessLogType.TcpConnectionEnd, api));
  const all = parsePrometheusText(renderPrometheusText(registry), (n) =>
    n.startsWith("istio_tcp_connections"),
  );
  assert.deepEqual(
    all.map(({ name, series }) => [
      name,
      series.map(({ labels, value }) => [labels.source_principal, value]),
    ]),
    [
      ["istio_tcp_connections_opened_total", [[api, 1]]],
      ["istio_tcp_connections_closed_total", [[api, 1]]],
    ],
  );
});

test("bytes of a connection that stays open are counted as they come, each once", () => {
  const registry = new MetricRegistry();
  const metrics = new AccessLogMetrics({
    registry,
    local: metadata("web", "default"),
    localService: undefined,
    localPrincipal: "",
  });
  const entry = (accessLogType: AccessLogType, received: number) =>
    create(TCPAccessLogEntrySchema, {
      commonProperties: { customTags: { connection: "1" }, accessLogType, upstreamCluster: "inbound|7000||" },
      connectionProperties: { receivedBytes: BigInt(received), sentBytes: 0n },
    });
  const total = (name: string) =>
    parsePrometheusText(renderPrometheusText(registry), (n) => n === name)[0]?.series[0]?.value;
  metrics.countConnection(inbound, entry(AccessLogType.TcpUpstreamConnected, 0));
  for (const [received, type] of [
    [10, AccessLogType.TcpPeriodic],
    [25, AccessLogType.TcpPeriodic],
    [30, AccessLogType.TcpConnectionEnd],
  ] as const) {
    metrics.countConnection(inbound, entry(type, received));
    assert.equal(total("istio_tcp_received_bytes_total"), received);
  }
  assert.equal(total("istio_tcp_connections_opened_total"), 1);
  assert.equal(total("istio_tcp_connections_closed_total"), 1);
});
