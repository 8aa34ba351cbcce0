import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { UserError } from "@weft/base/errors";
import { type AdminServer, serveAdmin } from "./admin-server.ts";
import { type AdminViews, adminEndpoints, type LogLevel, type ServerState } from "./endpoints.ts";

let server: AdminServer;
let base = "";
let state: ServerState = "PRE_INITIALIZING";
let level: LogLevel = "info";
const done: string[] = [];

const views: AdminViews = {
  state: () => state,
  keptSince: () => undefined,
  hotRestartVersion: () => "test",
  serverInfo: () => ({ state }),
  statsText: async ({ filter, usedOnly }) =>
    ["cluster.a.x", "http.b.y"]
      .filter((name) => !filter || filter(name))
      .map((name) => `${name}: ${usedOnly ? 1 : 0}\n`)
      .join(""),
  statsJson: async () => '{"stats":[]}',
  hasNativeHistograms: true,
  statsPrometheus: async ({ filter, usedOnly }, format) => `# ${filter?.("x")} ${usedOnly} ${format}\n`,
  runtime: () => ({ layers: [], entries: {} }),
  clustersText: () => "a::default_priority::max_connections::1024\n",
  clustersJson: () => ({ cluster_statuses: [] }),
  listeners: () => [
    { name: "web", host: "127.0.0.1", port: 80 },
    { name: "six", host: "::1", port: 80 },
    { name: "pipe", host: "/run/x", port: undefined },
  ],
  configDump: (eds) => [
    { "@type": "b", bootstrap: { node: { id: "n" } } },
    {
      "@type": "c",
      static_clusters: [
        { cluster: { "@type": "k", name: "one", type: "EDS" }, last_updated: "now" },
        { cluster: { "@type": "k", name: "other" }, last_updated: "now" },
      ],
    },
    ...(eds ? [{ "@type": "e", dynamic_endpoint_configs: [] }] : []),
  ],
  certificates: () => ({ certificates: [] }),
  unready: () => ({ listeners: ["web"], clusters: ["up"] }),
  logLevel: () => level,
};

before(async () => {
  server = await serveAdmin(
    { kind: "ip", host: "127.0.0.1", port: 0 },
    adminEndpoints(views, {
      drainListeners: (options) => done.push(JSON.stringify(options)),
      quit: () => done.push("quit"),
      resetCounters: () => done.push("reset"),
      reopenLogs: () => done.push("reopen"),
      failHealthCheck: (isFailed) => done.push(`fail ${isFailed}`),
      setLogLevel: (wanted) => {
        level = wanted;
      },
    }),
  );
  assert.ok(server.address.kind === "ip");
  base = `http://127.0.0.1:${server.address.port}`;
});

after(() => server.close());

async function call(path: string, method = "GET"): Promise<string> {
  const response = await fetch(base + path, { method });
  return `${response.status} ${await response.text()}`;
}

test("readiness follows the server's state", async () => {
  assert.equal(await call("/ready"), "503 PRE_INITIALIZING\n");
  state = "LIVE";
  assert.equal(await call("/ready"), "200 LIVE\n");
  state = "DRAINING";
  assert.equal(await call("/ready"), "503 DRAINING\n");
});

const answers: readonly (readonly [request: string, answer: string])[] = [
  ["GET /stats", "200 cluster.a.x: 0\nhttp.b.y: 0\n"],
  ["GET /stats?filter=%5Ecluster&usedonly", "200 cluster.a.x: 1\n"],
  ["GET /stats?filter=(", "400 Invalid re2 regex: error parsing regexp: missing closing ): `(`\n"],
  ["GET /stats?format=xml", "400 usage: /stats?format=(text|json|prometheus)\n"],
  [
    "GET /stats?typo",
    "400 /stats has no parameter 'typo' (it has: usedonly, filter, invert_filter, hidden, text_readouts, format, type, histogram_buckets)\n",
  ],
  ["GET /stats?filter=cluster&invert_filter", "200 http.b.y: 0\n"],
  ["GET /stats?type=Fish", "400 invalid &type= param\n"],
  ["GET /stats?histogram_buckets=x", "400 usage: /stats?histogram_buckets=(summary|cumulative|disjoint)\n"],
  ["GET /stats?hidden=x", "400 usage: /stats?hidden=(include|only|exclude)\n"],
  ["GET /contention", "200 Mutex contention tracing is not enabled: workers share no lock.\n"],
  ["POST /reset_counters", "200 OK\n"],
  ["GET /reset_counters", "405 Method GET not allowed, POST required.\n"],
  ["POST /reopen_logs", "200 OK\n"],
  ["GET /cpuprofiler", "405 Method GET not allowed, POST required.\n"],
  ["GET /stats/prometheus", "200 # undefined false text\n"],
  ["GET /stats/prometheus?filter=y&usedonly", "200 # false true text\n"],
  ["GET /stats?format=prometheus&filter=x", "200 # true false text\n"],
  ["GET /listeners", "200 web::127.0.0.1:80\nsix::[::1]:80\npipe::/run/x\n"],
  ["GET /clusters", "200 a::default_priority::max_connections::1024\n"],
  ["POST /logging?level=debug", "200 active loggers:\n  weft: debug\n"],
  [
    "POST /logging?level=loud",
    "400 error: unknown level 'loud', one of trace, debug, info, warning, error, critical, off\n",
  ],
  ["GET /quitquitquit", "405 Method GET not allowed, POST required.\n"],
  ["POST /stats", "405 Method POST not allowed, GET required.\n"],
];

for (const [request, expected] of answers) {
  test(`${request} answers ${expected.slice(0, 3)}`, async () => {
    const [method, path] = request.split(" ");
    assert.equal(await call(path!, method), expected);
  });
}

const element = "type.googleapis.com/envoy.admin.v3.ClustersConfigDump.StaticCluster";
const one = { "@type": element, cluster: { "@type": "k", name: "one" } };

for (const [query, expected] of [
  ["resource=static_clusters&mask=cluster.name&name_regex=o.e", { configs: [one] }],
  ["resource=static_clusters&name_regex=o", {}],
  ["resource=dynamic_endpoint_configs&include_eds", {}],
  ["mask=bootstrap.node", { configs: [{ "@type": "b", bootstrap: { node: { id: "n" } } }] }],
  ["resource=dynamic_endpoint_configs", "404 dynamic_endpoint_configs not found in config dump"],
  ["resource=bootstrap", "400 bootstrap is not a repeated field. Use ?mask=bootstrap to get only this field"],
  ["mask=x", "400 FieldMask x could not be successfully applied to any configs."],
] as const) {
  test(`/config_dump?${query} shows that part, in Envoy's words`, async () => {
    const answer = await call(`/config_dump?${query}`);
    if (typeof expected === "string") assert.equal(answer, expected);
    else assert.deepEqual(JSON.parse(answer.replace(/^200 /, "")), expected);
  });
}

test("an invalid name_regex is refused", async () => {
  assert.match(
    await call("/config_dump?name_regex=("),
    /^400 INVALID_ARGUMENT: Error while parsing name_regex from \(: /,
  );
});

test("mutations act, by POST only", async () => {
  done.length = 0;
  await call("/drain_listeners");
  assert.deepEqual(done, []);
  await call("/drain_listeners?graceful", "POST");
  await call("/healthcheck/fail", "POST");
  await call("/healthcheck/ok", "POST");
  await call("/quitquitquit", "POST");
  assert.deepEqual(done, [
    '{"isGraceful":true,"keepsListening":false,"isInboundOnly":false}',
    "fail true",
    "fail false",
    "quit",
  ]);
});

test("an unknown path is answered with the list of known ones", async () => {
  const answer = await call("/nothing");
  assert.match(answer, /^404 invalid path\. admin commands are:\n {2}\/: Admin home page\n/);
  assert.match(answer, / {2}\/quitquitquit \(POST\): exit the server\n/);
});

test("an address in use names the setting to change", async () => {
  await assert.rejects(serveAdmin(server.address, []), (error) => {
    assert.ok(error instanceof UserError);
    assert.match(error.message, /^the admin endpoint cannot listen on 127\.0\.0\.1:\d+: /);
    assert.equal(error.hint, "another proxy may be running; change `admin.address`");
    return true;
  });
});
