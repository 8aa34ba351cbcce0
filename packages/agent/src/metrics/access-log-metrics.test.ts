import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { MetricRegistry } from "@weft/base/metric-registry";
import { renderPrometheusText } from "@weft/base/prometheus-text";
import { encodePeerMetadata, localPeerMetadata } from "@weft/proxy/telemetry/peer-metadata";
import {
  type HTTPAccessLogEntry,
  HTTPAccessLogEntrySchema,
} from "@weft/xds/gen/envoy/data/accesslog/v3/accesslog_pb";
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

const api = "spiffe://cluster.local/ns/shop/sa/api";
const say = (name: string, namespace: string) => encodePeerMetadata(metadata(name, namespace));

test("what a peer said once is known for every later call of its connection, and for no other", () => {
  const series = counted((metrics) => {
    metrics.countRequest("destination", request("1", api, say("api-v1", "shop")));
    metrics.countRequest("destination", request("1", api));
    metrics.countRequest("destination", request("2", api));
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
    metrics.countRequest("destination", request("1", api, say("bank", "finance")));
    metrics.countRequest("destination", request("2", "", say("bank", "finance")));
    metrics.countRequest("destination", request("3", api, "bm90aGluZw=="));
  });
  assert.deepEqual([...new Set(series.map(({ source_workload }) => source_workload))], ["unknown"]);
});

test("a connection of the same number after a restart is another peer's", () => {
  const series = counted((metrics) => {
    metrics.countRequest("destination", request("1", api, say("api-v1", "shop")));
    metrics.countRequest("destination", request("1", api, say("api-v2", "shop")));
    metrics.countRequest("destination", request("1", api));
  });
  assert.deepEqual(
    series.map(({ source_workload, count }) => [source_workload, count]),
    [
      ["api-v1", "1"],
      ["api-v2", "2"],
    ],
  );
});

test("names from requests cannot make series without end", () => {
  const series = counted((metrics) => {
    for (let i = 0; i < 12_000; i += 1) {
      const entry = request(String(i), api);
      entry.commonProperties!.upstreamCluster = "PassthroughCluster";
      entry.request!.authority = `host-${i}`;
      metrics.countRequest("source", entry);
    }
  });
  assert.ok(series.length <= 10_001, `${series.length} series`);
  assert.equal(
    series.reduce((sum, { count }) => sum + Number(count), 0),
    12_000,
  );
});
