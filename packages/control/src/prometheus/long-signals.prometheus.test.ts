import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { hasPrometheus, type Prometheus, startPrometheus } from "@weft/testkit/prometheus";
import { workload } from "../translate/mesh-fixture.ts";
import { longEdges, longStats } from "./long-signals.ts";
import { PrometheusClient } from "./prometheus-client.ts";

const withPrometheus = { skip: hasPrometheus ? false : "no Prometheus found" } as const;
const hourSeconds = 3_600;
const stepSeconds = 300;
/** The last sample of all. */
const endSeconds = Math.floor(Date.now() / 1000) - 600;
const principal = (name: string): string => `spiffe://cluster.local/ns/default/sa/${name}`;

const called = (name: string, version: string) => ({
  destination_workload: name,
  destination_workload_namespace: "default",
  destination_service: `${name}.default.svc.cluster.local`,
  destination_service_name: name,
  destination_service_namespace: "default",
  destination_canonical_service: name,
  destination_version: version,
  destination_principal: principal(name),
});
const calling = (name: string) => ({
  source_workload: name,
  source_workload_namespace: "default",
  source_canonical_service: name,
  source_version: "v1",
  source_principal: principal(name),
});
const ended = (response_code: string, response_flags = "-") => ({
  response_code,
  response_flags,
  connection_security_policy: "mutual_tls",
});

/** A counter that grows evenly from `fromHours` before the end to `toHours` before it. */
function counter(
  metric: string,
  labels: Readonly<Record<string, string>>,
  perSecond: number,
  { fromHours = 26, toHours = 0, base = 0 } = {},
): string[] {
  const names = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  const lines: string[] = [];
  const beginSeconds = endSeconds - fromHours * hourSeconds;
  for (let at = beginSeconds; at <= endSeconds - toHours * hourSeconds; at += stepSeconds) {
    lines.push(`${metric}{${names.join(",")}} ${base + perSecond * (at - beginSeconds)} ${at}`);
  }
  return lines;
}

const arrived = { reporter: "destination", ...calling("web"), ...called("reviews", "v1") };
const histogram = (counts: Readonly<Record<string, number>>): string[] =>
  Object.entries(counts).flatMap(([le, perSecond]) =>
    counter("istio_request_duration_milliseconds_bucket", { ...arrived, le }, perSecond),
  );
const history = [
  "# TYPE istio_requests counter",
  ...counter("istio_requests_total", { ...arrived, ...ended("200") }, 0.9),
  ...counter("istio_requests_total", { ...arrived, ...ended("503") }, 0.1),
  // It has left; it was called in the first four of the last 24 hours.
  ...counter("istio_requests_total", { ...arrived, ...called("reviews", "v0"), ...ended("200") }, 1, {
    toHours: 20,
  }),
  // Its callers' sidecars answered for it.
  ...counter(
    "istio_requests_total",
    { ...arrived, reporter: "source", ...ended("503", "UH"), destination_principal: "unknown" },
    0.25,
  ),
  // What its callers report of calls that arrived counts once.
  ...counter("istio_requests_total", { ...arrived, reporter: "source", ...ended("200") }, 0.9),
  ...counter(
    "istio_requests_total",
    {
      reporter: "source",
      ...calling("web"),
      destination_service: "plain.example",
      destination_service_name: "plain.example",
      destination_principal: "unknown",
      ...ended("200"),
      connection_security_policy: "unknown",
    },
    0.5,
  ),
  "# TYPE istio_request_duration_milliseconds histogram",
  ...histogram({ "10": 0.5, "25": 0.9, "50": 1, "+Inf": 1 }),
  "# TYPE istio_tcp_connections_opened counter",
  ...counter(
    "istio_tcp_connections_opened_total",
    {
      reporter: "destination",
      ...calling("web"),
      ...called("queue", "v1"),
      connection_security_policy: "mutual_tls",
    },
    0.01,
    { base: 3 },
  ),
  "# TYPE istio_tcp_connections_closed counter",
  ...counter(
    "istio_tcp_connections_closed_total",
    {
      reporter: "destination",
      ...calling("web"),
      ...called("queue", "v1"),
      connection_security_policy: "mutual_tls",
    },
    0.01,
  ),
  "# EOF",
  "",
].join("\n");

let prometheus: Prometheus;
before(async () => {
  if (!withPrometheus.skip) prometheus = await startPrometheus({ history });
});
after(() => prometheus?.close());

const registered = {
  trustDomain: "cluster.local",
  workloads: [
    workload({ service: "reviews", version: "v1", workloadName: "reviews" }, 1),
    workload({ service: "queue", version: "v1", workloadName: "queue" }, 2),
    workload({ service: "idle", version: "v1", workloadName: "idle" }, 3),
  ],
};

function asked(by: "service" | "version" | "workload", hours = 24) {
  const client = new PrometheusClient({ url: prometheus.url, timeoutMs: 60_000 });
  return {
    ask: (query: string, atMs: number) => client.ask(query, atMs),
    by,
    windowMs: hours * hourSeconds * 1_000,
    nowMs: endSeconds * 1_000,
    registered,
  };
}

/** What an expression of the dashboard says of the same time. */
async function promql(expression: string): Promise<number> {
  const client = new PrometheusClient({ url: prometheus.url, timeoutMs: 60_000 });
  const [series] = await client.ask(expression, endSeconds * 1_000);
  return series!.value;
}

function near(actual: number | undefined, wanted: number): void {
  assert.ok(Math.abs(actual! - wanted) <= 0.01 * Math.abs(wanted), `${actual} is not about ${wanted}`);
}

test("a day of a service is what the dashboard's PromQL says of that day", withPrometheus, async () => {
  const report = await longStats(asked("service"));
  const reviews = report!.rows.find(({ name }) => name === "reviews")!;
  const where =
    'reporter="destination",destination_service_name="reviews",destination_service_namespace="default"';
  const arrivedPerSecond = await promql(`sum(rate(istio_requests_total{${where}}[24h]))`);
  near(reviews.requestsPerSecond! - reviews.undeliveredPerSecond!, arrivedPerSecond);
  near(arrivedPerSecond, 1 + 4 / 24);
  near(reviews.undeliveredPerSecond, 0.25);
  near(reviews.successRate, 1 - 0.35 / (1.25 + 4 / 24));
  const buckets = `sum by (le) (rate(istio_request_duration_milliseconds_bucket{${where}}[24h]))`;
  for (const [quantile, shown] of [
    [0.5, reviews.p50Ms],
    [0.95, reviews.p95Ms],
    [0.99, reviews.p99Ms],
  ] as const) {
    near(shown, await promql(`histogram_quantile(${quantile}, ${buckets})`));
  }
  assert.equal(reviews.securedRate, 1);
  assert.deepEqual(reviews.peers, [principal("web")]);
});

test(
  "what has left since has a row without instances; what was not called has its instances",
  withPrometheus,
  async () => {
    const report = await longStats(asked("version"));
    const shown = report!.rows.map(({ name, instances, requestsPerSecond }) => [
      name,
      instances,
      requestsPerSecond === undefined ? undefined : Math.round(requestsPerSecond * 100) / 100,
    ]);
    assert.deepEqual(shown, [
      ["idle v1", 1, undefined],
      ["queue v1", 1, undefined],
      ["reviews v0", 0, 0.17],
      ["reviews v1", 1, 1],
      ["web v1", 0, undefined],
    ]);
    assert.equal(report!.rows.find(({ name }) => name === "queue v1")!.tcpConnections, 3);
  },
);

test("a window begins where it is asked to: what had left by then is not in it", withPrometheus, async () => {
  const report = await longStats(asked("version", 6));
  assert.equal(
    report!.rows.find(({ name }) => name === "reviews v0"),
    undefined,
  );
});

test("edges of a day are its pairs, with servers outside the mesh", withPrometheus, async () => {
  const report = await longEdges(asked("service"));
  assert.deepEqual(
    report!.rows.map(({ from, to, tcpConnections }) => [from.name, to.name, to.isOutside, tcpConnections]),
    [
      ["web", "plain.example", true, 0],
      ["web", "queue", false, 3],
      ["web", "reviews", false, 0],
    ],
  );
  const [plain, , reviews] = report!.rows;
  near(plain!.requestsPerSecond, 0.5);
  assert.equal(plain!.securedRate, 0);
  near(reviews!.requestsPerSecond, 1.25 + 4 / 24);
  assert.equal(reviews!.from.identity, principal("web"));
});

test("a time of which it has nothing has no report", withPrometheus, async () => {
  const nowMs = (endSeconds - 72 * hourSeconds) * 1_000;
  assert.equal(await longStats({ ...asked("service"), nowMs }), undefined);
});

test("what it does not understand is an error in its own words", withPrometheus, async () => {
  const client = new PrometheusClient({ url: `${prometheus.url}/`, timeoutMs: 60_000 });
  await assert.rejects(client.ask("sum by (", 0), /it answered 400: .*parse error/);
  await assert.rejects(client.ask("up[5m]"), /it answered with a matrix in place of a vector/);
  assert.deepEqual(await client.ask("scalar(vector(3))"), [{ labels: {}, value: 3 }]);
});
