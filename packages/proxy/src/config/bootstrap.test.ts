import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "@weft/base/errors";
import { decodeBootstrap } from "./bootstrap.ts";
import { parseDocument } from "./document.ts";
import { compileText } from "./testing.ts";

const decodeText = (text: string) => decodeBootstrap(parseDocument("bootstrap.yaml", text));

const hcmType =
  "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const routerType = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";

/** A bootstrap that is right, but for what a case puts in. */
function bootstrap(change: {
  hcm?: string;
  route?: string;
  cluster?: string;
  listener?: string;
  top?: string;
}): string {
  return `static_resources:
  listeners:
    - name: web
      address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
      ${change.listener ?? "per_connection_buffer_limit_bytes: 1024"}
      filter_chains:
        - filters:
            - name: hcm
              typed_config:
                "@type": ${hcmType}
                stat_prefix: web
                ${change.hcm ?? "codec_type: AUTO"}
                http_filters:
                  - name: router
                    typed_config: { "@type": "${routerType}" }
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes:
                        - ${change.route ?? 'match: { prefix: "/" }\n                          route: { cluster: up }'}
  clusters:
    - name: up
      ${change.cluster ?? "connect_timeout: 1s"}
      load_assignment: { cluster_name: up, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 9 } } } }] }] }
${change.top ?? ""}`;
}

const hcm = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config";
const firstRoute = `${hcm}.route_config.virtual_hosts[0].routes[0]`;

const mistakes: readonly (readonly [name: string, text: string, error: string])[] = [
  [
    "an unknown field, with the nearest known one",
    bootstrap({ hcm: "codec_tpye: AUTO" }),
    `bootstrap.yaml:12:17: ${hcm}.codec_tpye: unknown field of envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager (did you mean \`codec_type\`?)`,
  ],
  [
    "a field of the API that is not implemented",
    bootstrap({ hcm: "early_header_mutation_extensions: [{ name: x }]" }),
    `bootstrap.yaml:12:17: ${hcm}.early_header_mutation_extensions: \`early_header_mutation_extensions\` is not implemented by this proxy (remove it)`,
  ],
  [
    "a field that may only keep its default",
    bootstrap({ hcm: "addUserAgent: true" }),
    `bootstrap.yaml:12:17: ${hcm}.add_user_agent: \`add_user_agent\` is not implemented by this proxy (remove it or leave it at its default)`,
  ],
  [
    "a wrong type",
    bootstrap({ hcm: "stream_idle_timeout: 5" }),
    `bootstrap.yaml:12:17: ${hcm}.stream_idle_timeout: expected a duration, not 5 (seconds with a final "s", e.g. 0.25s)`,
  ],
  [
    "an unknown enum value",
    bootstrap({ cluster: "type: STATICC" }),
    'bootstrap.yaml:25:7: static_resources.clusters[0].type: "STATICC" is not a DiscoveryType (did you mean STATIC?)',
  ],
  [
    "a value that is known to Envoy only",
    bootstrap({ cluster: "lb_policy: LOAD_BALANCING_POLICY_CONFIG" }),
    "bootstrap.yaml:25:7: static_resources.clusters[0].lb_policy: LOAD_BALANCING_POLICY_CONFIG needs `load_balancing_policy` (name a policy there)",
  ],
  [
    "an extension that is not implemented",
    bootstrap({
      listener:
        "listener_filters: [{ name: x, typed_config: { '@type': type.googleapis.com/envoy.extensions.wasm.v3.WasmService } }]",
    }),
    "bootstrap.yaml:5:53: static_resources.listeners[0].listener_filters[0].typed_config.@type: envoy.extensions.wasm.v3.WasmService is not implemented by this proxy (remove this extension)",
  ],
  [
    "a route to a cluster that does not exist",
    bootstrap({ route: 'match: { prefix: "/" }\n                          route: { cluster: down }' }),
    `bootstrap.yaml:22:36: ${firstRoute}.route.cluster: unknown cluster 'down' (define it under static_resources.clusters, or set \`validate_clusters: false\` when CDS brings it)`,
  ],
  [
    "an expression that is not RE2",
    bootstrap({
      route: 'match: { safe_regex: { regex: "(?=x)" } }\n                          route: { cluster: up }',
    }),
    `bootstrap.yaml:21:50: ${firstRoute}.match.safe_regex.regex: error parsing regexp: invalid or unsupported Perl syntax: \`(?=\` (write it in RE2 syntax: no back-references, no look-around)`,
  ],
  [
    "two members of one oneof",
    bootstrap({
      route: 'match: { prefix: "/", path: "/x" }\n                          route: { cluster: up }',
    }),
    `bootstrap.yaml:21:49: ${firstRoute}.match.path: excludes \`prefix\`: only one of them may be set (remove one)`,
  ],
  [
    "a listener on a host name",
    bootstrap({}).replace("address: 127.0.0.1, port_value: 0", "address: localhost, port_value: 0"),
    'bootstrap.yaml:4:36: static_resources.listeners[0].address.socket_address.address: "localhost" is not an IP address (listeners bind to addresses, e.g. 0.0.0.0)',
  ],
  [
    "ADS without a node",
    bootstrap({
      top: "dynamic_resources:\n  ads_config: { api_type: DELTA_GRPC, grpc_services: [{ envoy_grpc: { cluster_name: up } }] }\n",
    }),
    "bootstrap.yaml:28:3: dynamic_resources.ads_config: xDS needs a node with `id` and `cluster` (say who this proxy is)",
  ],
  [
    "endpoints that nobody can be asked for",
    bootstrap({ cluster: "type: EDS\n      eds_cluster_config: { eds_config: { ads: {} } }" }),
    "bootstrap.yaml:26:29: static_resources.clusters[0].eds_cluster_config.eds_config: there is no ADS server to ask (set dynamic_resources.ads_config in the bootstrap)",
  ],
  [
    "a domain claimed twice",
    bootstrap({}).replace('["*"]', '["a.com", "A.com"]'),
    `bootstrap.yaml:19:42: ${hcm}.route_config.virtual_hosts[0].domains[1]: domain 'A.com' is already claimed by another virtual host (each domain belongs to one virtual host)`,
  ],
  [
    "an unknown retry condition",
    bootstrap({
      route:
        'match: { prefix: "/" }\n                          route: { cluster: up, retry_policy: { retry_on: "5xx,gateway-eror" } }',
    }),
    `bootstrap.yaml:22:65: ${firstRoute}.route.retry_policy.retry_on: "gateway-eror" is not a retry condition (did you mean gateway-error?)`,
  ],
  [
    "a chain without a router",
    bootstrap({})
      .replace(/- name: router\n.*\n/, "[]\n")
      .replace("http_filters:\n                  []", "http_filters: []"),
    `bootstrap.yaml:13:17: ${hcm}.http_filters: does not end with envoy.filters.http.router (add the router)`,
  ],
];

for (const [name, text, expected] of mistakes) {
  test(`a bootstrap is refused for ${name}`, () => {
    assert.throws(
      () => compileText(text),
      (error) => {
        assert.ok(error instanceof UserError, String(error));
        assert.equal(error.message, expected);
        return true;
      },
    );
  });
}

test("every mistake of a file is reported at once", () => {
  const text = bootstrap({ hcm: "codec_tpye: AUTO", cluster: "connect_timeout: soon" });
  assert.throws(() => compileText(text), /codec_tpye.*\n.*connect_timeout/s);
});

test("text that is neither YAML nor JSON is refused with its place", () => {
  assert.throws(() => compileText("static_resources: [\n"), /^UserError: bootstrap\.yaml:\d+:\d+: /);
  assert.throws(
    () => compileText('{"static_resources": {"clusters": [}}'),
    /^UserError: bootstrap\.yaml:1:\d+: /,
  );
});

test("a mistake in a JSON file has its place too", () => {
  assert.throws(
    () => compileText('{\n "staticResources": {\n  "clusterz": []\n }\n}'),
    /bootstrap\.yaml:3:3: staticResources\.clusterz: unknown field .*did you mean `clusters`/,
  );
});

test("field names count in either spelling", () => {
  const { listeners, clusters } = compileText(
    bootstrap({ hcm: "codecType: HTTP1", cluster: "connectTimeout: 0.25s" }),
  );
  const terminal = listeners[0]?.plan.chains[0]?.terminal;
  assert.ok(terminal?.kind === "http");
  assert.equal(terminal.codec, "http1");
  assert.equal(clusters[0]?.plan.connectTimeoutMs, 250);
});

test("defaults are Envoy's", () => {
  const { listeners, clusters } = compileText(bootstrap({}));
  const plan = clusters[0]!.plan;
  assert.deepEqual(plan.breakers.default, {
    maxConnections: 1024,
    maxPendingRequests: 1024,
    maxRequests: 1024,
    maxRetries: 3,
    retryBudgetPercent: 20,
    minRetryConcurrency: 3,
  });
  assert.equal(plan.idleTimeoutMs, 3_600_000);
  const terminal = listeners[0]!.plan.chains[0]!.terminal;
  assert.ok(terminal.kind === "http");
  assert.equal(terminal.streamIdleTimeoutMs, 300_000);
  assert.equal(terminal.maxRequestHeadersBytes, 60 * 1024);
  assert.equal(terminal.generateRequestId, true);
  const match = terminal.routes.current?.match(
    { method: "GET", path: "/", authority: "h", scheme: "http", headers: { flat: [] } as never, upgrade: "" },
    0,
  );
  assert.ok(match?.route.action.kind === "forward");
  assert.equal(match.route.action.limits.timeoutMs, 15_000);
});

test("a configured retry budget takes the place of max_retries, and a panic threshold of 0 switches panic off", () => {
  const thresholds =
    "{ max_retries: 1, retry_budget: { budget_percent: { value: 50 }, min_retry_concurrency: 7 } }";
  const cluster = `circuit_breakers: { thresholds: [${thresholds}] }\n      common_lb_config: { healthy_panic_threshold: { value: 0 } }`;
  const { plan } = compileText(bootstrap({ cluster })).clusters[0]!;
  const { maxRetries, retryBudgetPercent, minRetryConcurrency } = plan.breakers.default;
  assert.deepEqual([maxRetries, retryBudgetPercent, minRetryConcurrency], [2 ** 32 - 1, 50, 7]);
  assert.equal(plan.panicThresholdPercent, 0);
});

test("what a bootstrap does not say of metrics the environment may", (t) => {
  const said = { WEFT_METRICS_MAX_SERIES: "9", WEFT_METRICS_SERIES_IDLE: "5s" };
  const before = { ...process.env };
  Object.assign(process.env, said, { WEFT_METRICS_NATIVE_HISTOGRAMS: "true" });
  t.after(() => {
    process.env = before;
  });
  const usual = decodeText(bootstrap({}));
  assert.deepEqual([usual.statsEvictionMs, usual.maxSeries, usual.hasNativeHistograms], [5_000, 9, true]);
  const layer = `{ "weft.metrics.max_series": 7, "weft.metrics.native_histograms": false }`;
  const layers = `layered_runtime: { layers: [{ name: a, static_layer: ${layer} }] }`;
  const set = decodeText(bootstrap({ top: `stats_eviction_interval: 90s\n${layers}` }));
  assert.deepEqual([set.statsEvictionMs, set.maxSeries, set.hasNativeHistograms], [90_000, 7, false]);
});

test("how many series there may be, and for how long, is said in the bootstrap", () => {
  const layers = (value: string) =>
    `layered_runtime: { layers: [{ name: a, static_layer: { "weft.metrics.max_series": ${value} } }] }`;
  const set = decodeText(bootstrap({ top: `stats_eviction_interval: 90s\n${layers("7")}` }));
  assert.deepEqual([set.statsEvictionMs, set.maxSeries], [90_000, 7]);
  const usual = decodeText(bootstrap({}));
  assert.deepEqual([usual.statsEvictionMs, usual.maxSeries], [3_600_000, undefined]);
  for (const [top, expected] of [
    ["stats_eviction_interval: 0.5s", /stats_eviction_interval: is too short/],
    [layers("0"), /layered_runtime: .*max_series is no number of series/],
    [layers("many"), /layered_runtime: .*max_series is no number of series/],
  ] as const) {
    assert.throws(() => decodeText(bootstrap({ top })), expected);
  }
});
