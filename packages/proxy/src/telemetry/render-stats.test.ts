import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MetricRegistry } from "@weft/base/metric-registry";
import { renderPrometheusText } from "@weft/base/prometheus-text";
import { FakeClock } from "@weft/testkit/fake-clock";
import { createClusterStats } from "../cluster/cluster-stats.ts";
import { createDownstreamStats } from "../listener/downstream-stats.ts";
import { EnvoyStats } from "./envoy-stats.ts";
import { renderStatsJson, renderStatsText, statsExposition } from "./render-stats.ts";
import { ServerStats } from "./server-stats.ts";

function setUp() {
  const registry = new MetricRegistry();
  const stats = new EnvoyStats(registry);
  const cluster = createClusterStats(stats, "web");
  const downstream = createDownstreamStats(stats);
  cluster.request.rqTotal.add(3);
  cluster.request.answers.countExternal(200);
  cluster.request.answers.countExternal(200);
  cluster.request.rqTimeMs.observe(7);
  downstream.http("ingress").rqTotal.add(4);
  downstream.http("ingress").answers.classes[4]!.add(1);
  downstream.listener("127.0.0.1:8080").sslHandshake.add(5);
  stats.counter("http.{envoy_http_conn_manager_prefix}.rbac.denied", "ingress").add(6);
  registry.counter("istio_requests_total", "", ["reporter"]).with("source").add(8);
  return { registry, stats };
}

describe("statistics under Envoy's names", () => {
  const names: readonly (readonly [dotted: string, prometheus: string])[] = [
    ["cluster.web.upstream_rq_total: 3", 'envoy_cluster_upstream_rq_total{envoy_cluster_name="web"} 3'],
    [
      "cluster.web.upstream_rq_2xx: 2",
      'envoy_cluster_upstream_rq_xx{envoy_cluster_name="web",envoy_response_code_class="2"} 2',
    ],
    [
      "cluster.web.upstream_rq_200: 2",
      'envoy_cluster_upstream_rq{envoy_cluster_name="web",envoy_response_code="200"} 2',
    ],
    [
      "http.ingress.downstream_rq_total: 4",
      'envoy_http_downstream_rq_total{envoy_http_conn_manager_prefix="ingress"} 4',
    ],
    [
      "http.ingress.downstream_rq_5xx: 1",
      'envoy_http_downstream_rq_xx{envoy_http_conn_manager_prefix="ingress",envoy_response_code_class="5"} 1',
    ],
    [
      "listener.127.0.0.1_8080.ssl.handshake: 5",
      'envoy_listener_ssl_handshake{envoy_listener_address="127.0.0.1:8080"} 5',
    ],
    ["http.ingress.rbac.denied: 6", 'envoy_http_rbac_denied{envoy_http_conn_manager_prefix="ingress"} 6'],
  ];
  for (const [dotted, prometheus] of names) {
    it(dotted, () => {
      const { stats, registry } = setUp();
      const text = renderStatsText(stats);
      assert.ok(text.split("\n").includes(dotted), `not in\n${text}`);
      const exposition = renderPrometheusText(registry);
      assert.ok(exposition.split("\n").includes(prometheus), `not in\n${exposition}`);
    });
  }

  it("histograms come with quantiles, and as buckets in Prometheus", () => {
    const { stats, registry } = setUp();
    assert.match(renderStatsText(stats), /^cluster\.web\.upstream_rq_time: P0\(nan,5\) .*P100\(nan,10\)$/m);
    const exposition = renderPrometheusText(registry);
    assert.match(exposition, /^envoy_cluster_upstream_rq_time_bucket\{envoy_cluster_name="web",le="5"\} 0$/m);
    assert.match(
      exposition,
      /^envoy_cluster_upstream_rq_time_bucket\{envoy_cluster_name="web",le="10"\} 1$/m,
    );
  });

  it("what Prometheus sees is narrowed by dotted names", () => {
    const { stats } = setUp();
    const text = [...statsExposition(stats, "text", (name) => name === "cluster.web.upstream_rq_total")].join(
      "",
    );
    assert.match(text, /^(# .*\n)*envoy_cluster_upstream_rq_total\{envoy_cluster_name="web"\} 3\n$/);
  });

  it("histograms come as buckets, each alone or with those before, and kinds are chosen", () => {
    const { stats } = setUp();
    const filter = (name: string) => name.startsWith("cluster.web.upstream_rq_time");
    const bounds =
      "0.5 1 5 10 25 50 100 250 500 1000 2500 5000 10000 30000 60000 300000 600000 1.8e+06 3.6e+06";
    for (const [histograms, counts] of [
      ["cumulative", "0001111111111111111"],
      ["disjoint", "0001000000000000000"],
    ] as const) {
      const buckets = bounds.split(" ").map((bound, i) => `B${bound}(0,${counts[i]})`);
      const text = renderStatsText(stats, { filter, histograms, kinds: ["histogram"] });
      assert.equal(text, `cluster.web.upstream_rq_time: ${buckets.join(" ")}\n`);
      const [{ histograms: shown }] = JSON.parse(renderStatsJson(stats, { filter, histograms })).stats.slice(
        -1,
      );
      assert.deepEqual(shown[0].buckets[3], { upper_bound: 10, interval: 0, cumulative: 1 });
    }
    assert.equal(
      renderStatsText(stats, { filter, kinds: ["counter"] }),
      "cluster.web.upstream_rq_timeout: 0\n",
    );
  });

  it("counters begin anew, histograms and gauges go on", () => {
    const { stats } = setUp();
    stats.gauge("cluster.{envoy_cluster_name}.membership_total", "web").set(2);
    stats.resetCounters();
    const filter = (name: string) => /upstream_rq_t(otal|ime)$|membership_total$/.test(name);
    assert.deepEqual(renderStatsText(stats, { filter }).split("\n").slice(0, 2), [
      "cluster.web.membership_total: 2",
      "cluster.web.upstream_rq_total: 0",
    ]);
    assert.doesNotMatch(renderStatsText(stats, { filter, kinds: ["histogram"] }), /No recorded values/);
  });

  it("JSON has the shape of Envoy's, and a filter narrows it", () => {
    const { stats } = setUp();
    const filter = (name: string) => name.startsWith("cluster.web.upstream_rq_t");
    const parsed = JSON.parse(renderStatsJson(stats, { filter }));
    assert.deepEqual(parsed.stats.slice(0, -1), [
      { name: "cluster.web.upstream_rq_timeout", value: 0 },
      { name: "cluster.web.upstream_rq_total", value: 3 },
      { name: "cluster.web.upstream_rq_tx_reset", value: 0 },
    ]);
    const { histograms } = parsed.stats.at(-1);
    assert.equal(histograms.supported_quantiles.length, 10);
    assert.equal(histograms.computed_quantiles[0].name, "cluster.web.upstream_rq_time");
  });
});

it("server statistics tell uptime, memory and whether the proxy is live", async () => {
  const registry = new MetricRegistry();
  const stats = new EnvoyStats(registry);
  const clock = new FakeClock();
  const server = new ServerStats(stats, { clock, concurrency: 1 });
  server.setLive(true);
  await clock.advance(61_500);
  const text = renderStatsText(stats);
  assert.match(text, /^server\.live: 1$/m);
  assert.match(text, /^server\.uptime: 61$/m);
  assert.match(text, /^server\.memory_physical_size: [1-9]\d+$/m);
  server.stop();
});
