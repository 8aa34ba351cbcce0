import assert from "node:assert/strict";
import { once } from "node:events";
import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type Server,
} from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { type Contender, envoyOrSkip, startBoth } from "../test-contenders.ts";

/**
 * The upstream follows a script in the request's path: `/route/503,reset,200`
 * answers the first attempt with 503, resets the second and answers the third.
 */
let upstream: Server;
let contenders: readonly Contender[] = [];
const attempts = new Map<string, string[]>();

before(async () => {
  if (envoyOrSkip !== false) return;
  upstream = createServer((request, response) => {
    const name = `${request.headers["x-case"]}`;
    const seen = attempts.get(name) ?? [];
    attempts.set(name, seen);
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString("latin1");
    });
    request.on("end", () => {
      seen.push(`${request.method} ${request.url} ${told(request.headers)} ${body}`);
      const [step = "200", ...fields] = scriptOf(request.url!)[seen.length - 1]?.split(";") ?? [];
      if (step === "reset") request.socket.resetAndDestroy();
      else if (step === "close") request.socket.destroy();
      else if (step === "stall") response.writeHead(200, { "content-length": "5" }).write("he");
      else if (step !== "hang") {
        response.writeHead(Number(step), Object.fromEntries(fields.map((field) => field.split("="))));
        response.end(`answer ${seen.length}`);
      }
    });
  });
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  contenders = await startBoth(bootstrapOf((upstream.address() as AddressInfo).port));
});

after(async () => {
  for (const contender of contenders) await contender.close();
  upstream?.closeAllConnections();
  upstream?.close();
});

function scriptOf(path: string): readonly string[] {
  return decodeURIComponent(path.split("/")[2] ?? "").split(",");
}

/** What the proxy tells the upstream of timeouts and attempts; the time left is rounded up. */
function told(headers: IncomingHttpHeaders): string {
  return Object.entries(headers)
    .filter(([name]) => /^x-envoy-|^grpc-timeout$/.test(name) && name !== "x-envoy-internal")
    .map(([name, value]) => {
      const left = name.includes("timeout-ms") ? Math.ceil(Number(value) / 1_000) * 1_000 : value;
      return `${name}=${left}`;
    })
    .sort()
    .join(" ");
}

type Json = Readonly<Record<string, unknown>>;

/** Everything that is retried is retried soon, so that the cases take no time. */
const soon = { retry_back_off: { base_interval: "0.001s", max_interval: "0.002s" } };
const on = (retry_on: string, more: Json = {}) => ({
  retry_policy: { retry_on, num_retries: 2, ...soon, ...more },
});

const routes: Readonly<Record<string, Json>> = {
  none: {},
  "5xx": on("5xx"),
  gateway: on("gateway-error"),
  reset: on("reset"),
  before: on("reset-before-request"),
  connect: on("connect-failure"),
  refused: on("refused-stream"),
  "4xx": on("retriable-4xx"),
  limited: on("envoy-ratelimited"),
  codes: on("retriable-status-codes", { retriable_status_codes: [418, 202] }),
  unnamed: on("5xx", { retriable_status_codes: [418] }),
  headers: on("retriable-headers", {
    retriable_headers: [{ name: "x-again" }, { name: "x-why", string_match: { prefix: "lo" } }],
  }),
  grpc: on("cancelled,deadline-exceeded,internal,resource-exhausted,unavailable"),
  http3: on("http3-post-connect-failure,5xx"),
  zero: on("5xx", { num_retries: 0 }),
  one: { retry_policy: { retry_on: "5xx", ...soon } },
  requests: on("5xx", {
    retriable_request_headers: [{ name: "x-retry-me" }, { name: ":method", string_match: { exact: "PUT" } }],
  }),
  pertry: on("5xx", { per_try_timeout: "0.4s" }),
  "pertry-alone": { retry_policy: { per_try_timeout: "0.3s" } },
  "pertry-long": { timeout: "0.5s", ...on("5xx", { per_try_timeout: "5s" }) },
  "pertry-reset": on("reset", { per_try_timeout: "0.4s" }),
  "pertry-connect": on("connect-failure", { per_try_timeout: "0.4s" }),
  idle: on("5xx", { per_try_idle_timeout: "0.4s" }),
  hedge: { hedge_policy: { hedge_on_per_try_timeout: true }, ...on("5xx", { per_try_timeout: "0.3s" }) },
  "hedge-codes": {
    timeout: "1s",
    hedge_policy: { hedge_on_per_try_timeout: true, initial_requests: 3 },
    ...on("gateway-error", { per_try_timeout: "0.3s" }),
  },
  late: on("5xx", {
    rate_limited_retry_back_off: {
      reset_headers: [
        { name: "Retry-After", format: "SECONDS" },
        { name: "X-RateLimit-Reset", format: "UNIX_TIMESTAMP" },
      ],
      max_interval: "2s",
    },
  }),
  short: { timeout: "0.5s", ...on("5xx") },
  grpctime: { timeout: "20s", max_grpc_timeout: "8s", grpc_timeout_offset: "1s" },
  grpcopen: { max_grpc_timeout: "0s" },
};

function bootstrapOf(port: number): unknown {
  const address = (portValue: number) => ({
    socket_address: { address: "127.0.0.1", port_value: portValue },
  });
  return {
    admin: { address: address(0) },
    static_resources: {
      listeners: [{ name: "main", address: address(0), filter_chains: [{ filters: [managerOf()] }] }],
      clusters: [
        {
          name: "up",
          connect_timeout: "2s",
          // Kept connections are another matter: what races with their end is sent again unasked.
          max_requests_per_connection: 1,
          circuit_breakers: {
            thresholds: [{ max_retries: 100, retry_budget: { min_retry_concurrency: 100 } }],
          },
          load_assignment: {
            cluster_name: "up",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }],
          },
        },
      ],
    },
  };
}

function managerOf(): unknown {
  const extension = "type.googleapis.com/envoy.extensions.filters";
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: {
      "@type": `${extension}.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: "main",
      normalize_path: true,
      http_filters: [
        {
          name: "envoy.filters.http.router",
          typed_config: { "@type": `${extension}.http.router.v3.Router` },
        },
      ],
      route_config: {
        virtual_hosts: [
          {
            name: "all",
            domains: ["*"],
            include_request_attempt_count: true,
            include_attempt_count_in_response: true,
            include_is_timeout_retry_header: true,
            routes: Object.entries(routes).map(([name, action]) => ({
              match: { path_separated_prefix: `/${name}` },
              route: { cluster: "up", ...action },
            })),
          },
        ],
      },
    },
  };
}

interface Sent {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const agent = new Agent({ keepAlive: false });

function ask({ port, name }: Contender, sent: Sent, id: number): Promise<string> {
  const key = `${name} ${id}`;
  return new Promise((resolve) => {
    const finish = (answer: string) => resolve([answer, ...(attempts.get(key) ?? [])].join("\n  "));
    const call = httpRequest(
      {
        host: "127.0.0.1",
        port,
        agent,
        path: sent.path,
        method: sent.method ?? "GET",
        headers: { ...sent.headers, "x-case": key },
      },
      (response) => {
        const { statusCode, headers } = response;
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          body += chunk;
        });
        const attempt = headers["x-envoy-attempt-count"];
        response.on("error", () => finish(`${statusCode} attempt ${attempt}: ${body} and broken off`));
        response.on("end", () => finish(`${statusCode} attempt ${attempt}: ${body}`));
      },
    );
    call.on("error", (error) => finish(`no answer: ${error.message}`));
    call.end(sent.body);
  });
}

const steps = ["200", "409", "418", "429", "500", "502", "503", "504", "reset", "close"];
const everyCondition = "none 5xx gateway reset before connect refused 4xx limited codes unnamed http3".split(
  " ",
);

const cases: readonly Sent[] = [
  ...everyCondition.flatMap((route) => steps.map((step) => ({ path: `/${route}/${step},200` }))),
  ...["none", "5xx", "reset"].flatMap((route) =>
    ["503,503,503,200", "reset,reset,reset,200"].map((script) => ({ path: `/${route}/${script}` })),
  ),
  { path: "/limited/429;x-envoy-ratelimited=true,200" },
  { path: "/5xx/503;x-envoy-ratelimited=true,200" },
  { path: "/5xx/503;x-envoy-overloaded=true,200" },
  ...["200;x-again=1", "200;x-why=low", "200;x-why=high", "503"].map((step) => ({
    path: `/headers/${step},200`,
  })),
  ...[0, 1, 2, 4, 8, 13, 14, 16].map((status) => ({ path: `/grpc/200;grpc-status=${status},200` })),
  { path: "/zero/503,200" },
  { path: "/one/503,503,200" },
  { path: "/requests/503,200" },
  { path: "/requests/503,200", headers: { "x-retry-me": "" } },
  { path: "/requests/503,200", method: "PUT", body: "put" },
  { path: "/5xx/503,503,200", method: "POST", body: "some body" },
  { path: "/5xx/reset,200", method: "POST", body: "some body" },
  { path: "/none/reset,200", method: "POST", body: "some body" },
  { path: "/pertry/hang,200" },
  { path: "/pertry/hang,hang,hang" },
  { path: "/pertry-alone/hang,200" },
  { path: "/pertry-long/hang,200" },
  { path: "/pertry-reset/hang,200" },
  { path: "/pertry-connect/hang,200" },
  { path: "/idle/hang,200" },
  { path: "/idle/stall,200" },
  { path: "/idle/hang,hang,hang" },
  { path: "/hedge/hang,200" },
  { path: "/hedge/hang,503,200" },
  { path: "/hedge/hang,503,503", headers: { "x-envoy-upstream-rq-timeout-ms": "400" } },
  { path: "/hedge/hang,hang,200" },
  { path: "/hedge-codes/hang,hang,hang" },
  { path: "/hedge-codes/hang,503,503" },
  { path: "/hedge-codes/hang,500" },
  { path: "/late/503;retry-after=1,200" },
  { path: "/late/503;retry-after=30,200" },
  { path: "/late/503;retry-after=soon,200" },
  { path: "/late/503;x-ratelimit-reset=1,200" },
  { path: "/short/hang" },
  { path: "/short/stall" },
  { path: "/short/503,hang" },
  ...["5S", "100m", "100S", "0m", "1H", "bad", "999999999m"].flatMap((timeout) =>
    ["grpctime", "grpcopen", "none"].map((route) => ({
      path: `/${route}/200`,
      headers: { "content-type": "application/grpc", te: "trailers", "grpc-timeout": timeout },
    })),
  ),
  { path: "/grpctime/200", headers: { "content-type": "application/grpc" } },
  { path: "/grpctime/200", headers: { "grpc-timeout": "3S" } },
  ...["x-envoy-retry-on", "x-envoy-max-retries", "x-envoy-upstream-rq-timeout-ms"].map((name) => ({
    path: "/none/503,200",
    headers: { [name]: "5xx" },
  })),
];

/** More at once would make the machine, not the proxy, the reason of a timeout. */
const atOnce = 4;

test("requests are tried again when Envoy tries again, and told what Envoy tells", {
  skip: envoyOrSkip,
}, async () => {
  const differences: string[] = [];
  const waiting = [...cases.entries()];
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [id, sent] = next;
      const [theirs, ours] = await Promise.all(contenders.map((contender) => ask(contender, sent, id)));
      if (theirs === ours) continue;
      const { method = "GET", path, headers = {} } = sent;
      differences.push(`${method} ${path} ${JSON.stringify(headers)}\n Envoy ${theirs}\n ours  ${ours}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  assert.deepEqual(differences, []);
});

test("answers are counted as Envoy counts them, those that were tried again apart", {
  skip: envoyOrSkip,
}, async () => {
  const counted = async (contender: Contender) =>
    (await contender.admin("/stats"))
      .split("\n")
      .filter((line) => /^cluster\.up\.(retry\.)?upstream_rq_(completed|\d(xx|\d\d)):/.test(line))
      .filter((line) => !line.endsWith(": 0"))
      .sort();
  const [theirs, ours] = await Promise.all(contenders.map(counted));
  assert.ok(theirs!.some((line) => line.startsWith("cluster.up.retry.upstream_rq_503: ")));
  assert.deepEqual(ours, theirs);
});
