import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { until } from "@weft/testkit/until";
import { envoy, startEnvoy, startWeft, withEnvoy } from "../filters/side-by-side-fixture.ts";
import { type CollectedSpan, startSpanCollector, tracingBootstrap } from "./test-tracing.ts";

interface Question {
  readonly name: string;
  readonly listener: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Spans to wait for. */
  readonly spans: number;
}

const given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const unsampled = given.replace(/01$/, "00");

const questions: readonly Question[] = [
  { name: "a server's span", listener: "in", path: "/long/path?x=1", headers: { "x-h": "value" }, spans: 1 },
  { name: "a route's name, tags and metadata", listener: "in", path: "/named/x", spans: 1 },
  { name: "a decorator, told to the caller", listener: "in", path: "/decorated", spans: 1 },
  { name: "a decorator that is not told", listener: "in", path: "/silent", spans: 1 },
  { name: "a decorator where there is an operation", listener: "in", path: "/both", spans: 1 },
  {
    name: "an operation that the caller tells where there is one",
    listener: "in",
    path: "/both",
    headers: { "x-envoy-decorator-operation": "told" },
    spans: 1,
  },
  {
    name: "an upstream that names the operation where there is one",
    listener: "out",
    path: "/both/renamed",
    spans: 1,
  },
  { name: "a client's decorator where there is an operation", listener: "out", path: "/both", spans: 1 },
  {
    name: "an operation that the caller tells",
    listener: "in",
    path: "/decorated",
    headers: { "x-envoy-decorator-operation": "told" },
    spans: 1,
  },
  { name: "a server's 404", listener: "in", path: "/status/404", spans: 1 },
  { name: "a server's 503", listener: "in", path: "/status/503", spans: 1 },
  { name: "a direct response", listener: "in", path: "/direct", spans: 1 },
  { name: "an endpoint that refuses", listener: "in", path: "/refused", spans: 1 },
  {
    name: "a client's span under a parent",
    listener: "out",
    path: "/a",
    headers: { traceparent: given, tracestate: "a=1,b=2" },
    spans: 1,
  },
  { name: "a client's 404", listener: "out", path: "/status/404", spans: 1 },
  { name: "a client's decorator", listener: "out", path: "/decorated", spans: 1 },
  {
    name: "a parent that is not sampled",
    listener: "out",
    path: "/a",
    headers: { traceparent: unsampled },
    spans: 0,
  },
  {
    name: "a client's trace id",
    listener: "out",
    path: "/a",
    headers: { "x-client-trace-id": "c1" },
    spans: 1,
  },
  { name: "an upstream that names the operation", listener: "out", path: "/renamed", spans: 1 },
  {
    name: "a span of the attempt",
    listener: "spawn",
    path: "/a/b/c",
    headers: { traceparent: given },
    spans: 2,
  },
  { name: "an attempt's configured name", listener: "spawn", path: "/named", spans: 2 },
  { name: "attempts that fail", listener: "spawn", path: "/retry/503", spans: 3 },
  { name: "an attempt that is refused", listener: "spawn", path: "/refused", spans: 2 },
  {
    name: "gRPC",
    listener: "spawn",
    path: "/grpc",
    headers: { "content-type": "application/grpc" },
    spans: 2,
  },
  { name: "no sampling", listener: "none", path: "/a", spans: 0 },
  {
    name: "no sampling, for a client's trace id",
    listener: "none",
    path: "/a",
    headers: { "x-client-trace-id": "c1" },
    spans: 1,
  },
  {
    name: "no sampling, of a sampled parent",
    listener: "none",
    path: "/a",
    headers: { traceparent: given },
    spans: 0,
  },
  {
    name: "no sampling, of an id that is",
    listener: "none",
    path: "/a",
    headers: { "x-request-id": "7c1ea2e0-6d51-9f6c-a3a4-a3a6a5a4a3a2" },
    spans: 1,
  },
  {
    name: "no sampling, of an id that must be",
    listener: "none",
    path: "/a",
    headers: { "x-request-id": "7c1ea2e0-6d51-af6c-a3a4-a3a6a5a4a3a2" },
    spans: 1,
  },
  {
    name: "an id that is no UUID",
    listener: "in",
    path: "/a",
    headers: { "x-request-id": "mine" },
    spans: 0,
  },
  {
    name: "a share that the id is in",
    listener: "half",
    path: "/a",
    headers: { "x-request-id": "00001387-6d51-4f6c-a3a4-a3a6a5a4a3a2" },
    spans: 1,
  },
  {
    name: "a share that the id is not in",
    listener: "half",
    path: "/a",
    headers: { "x-request-id": "00001388-6d51-4f6c-a3a4-a3a6a5a4a3a2" },
    spans: 0,
  },
  { name: "a route's share", listener: "out", path: "/unsampled", spans: 0 },
];

interface Seen {
  readonly spans: unknown[];
  readonly upstream: unknown[];
  readonly answer: unknown;
}

/** Requests that must be traced, which a second access log is for. */
const forced = 1;

const directory = mkdtempSync(join(tmpdir(), "weft-tracing-"));
const seen: { envoy: Map<string, Seen>; weft: Map<string, Seen> } = { envoy: new Map(), weft: new Map() };
const logs: { envoy?: unknown[]; weft?: unknown[] } = {};
const stats: { envoy?: string[]; weft?: string[] } = {};

/** Fields that say something of traces; what is random is told by what it stands for. */
function traceFields(headers: NodeJS.Dict<string | string[]>): Record<string, unknown> {
  const parent = String(headers.traceparent ?? "");
  const id = String(headers["x-request-id"] ?? "");
  return {
    isChild: parent.startsWith(given.slice(0, 35)) && !parent.includes(given.slice(36, 52)),
    flags: parent.slice(53),
    // Envoy sends an empty one where there is none.
    state: headers.tracestate || undefined,
    operation: headers["x-envoy-decorator-operation"],
    requestId: id.length === 36 ? id[14] : id,
  };
}

/** Ours only, or random, or a port. */
function comparable(spans: readonly CollectedSpan[], upstreamPort: number): unknown[] {
  const ids = new Map(spans.map((span) => [span.spanId, span.name]));
  return spans
    .map(({ name, kind, parentId, isError, state, traceId, attributes, isTimely }) => {
      const tags = Object.entries(attributes)
        .filter(([key]) => envoyTags.test(key))
        // Envoy knows the upstream's protocol before its answer.
        .filter(([key]) => !(kind === 3 && key === "http.protocol"))
        .map(([key, value]) => [key, String(value).replace(`:${upstreamPort}`, ":upstream")] as const)
        .map(([key, value]) => [key, key === "guid:x-request-id" ? value.length : value] as const)
        .filter(([key]) => key !== "retry.count" || kind === 3)
        .sort(([a], [b]) => (a < b ? -1 : 1));
      return {
        name,
        kind,
        parent: ids.get(parentId) ?? parentId,
        // An attempt without an answer is an error by OpenTelemetry's conventions; Envoy leaves it open.
        isError: attributes["http.status_code"] === "0" || isError,
        state,
        isGiven: given.includes(traceId),
        tags: Object.fromEntries(tags),
        isTimely,
      };
    })
    .sort((a, b) => (JSON.stringify([a.kind, a.tags]) < JSON.stringify([b.kind, b.tags]) ? -1 : 1));
}

const envoyTags =
  /^(component|node_id|zone|guid:.*|http\.(url|method|protocol|status_code)|peer\.address|downstream_cluster|user_agent|response_flags|(request|response)_size|upstream_.*|error|error\.reason|grpc\..*|retry\.count|custom\..*)$/;

async function startUpstream(): Promise<{ server: Server; heard: unknown[] }> {
  const heard: unknown[] = [];
  const server = createServer((message, response) => {
    heard.push(traceFields(message.headers));
    if (message.url === "/grpc") {
      response.writeHead(200, {
        "content-type": "application/grpc",
        "grpc-status": "13",
        "grpc-message": "oh no",
      });
      response.end();
      return;
    }
    const status = Number(/\d{3}$/.exec(message.url ?? "")?.[0] ?? 200);
    response.writeHead(
      status,
      message.url?.endsWith("/renamed") ? { "x-envoy-decorator-operation": "theirs" } : {},
    );
    response.end("hi");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, heard };
}

function ask(port: number, path: string, headers: Question["headers"]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fields = { host: "svc.example", "user-agent": "test/1", ...headers };
    const call = request({ host: "127.0.0.1", port, path, headers: fields, agent: false }, (response) => {
      response.resume();
      response.on("end", () =>
        resolve([response.statusCode, response.headers["x-envoy-decorator-operation"]]),
      );
    });
    call.on("error", reject);
    call.end();
  });
}

before(async () => {
  if (!envoy) return;
  for (const [name, start] of [
    ["envoy", (bootstrap: string) => startEnvoy(bootstrap, directory)],
    ["weft", startWeft],
  ] as const) {
    const collector = await startSpanCollector();
    const { server, heard } = await startUpstream();
    const upstreamPort = (server.address() as AddressInfo).port;
    const proxy = await start(tracingBootstrap({ collectorPort: collector.port, upstreamPort }));
    const ids = new Set<string>();
    for (const question of questions) {
      const answer = await ask(proxy.ports.get(question.listener)!, question.path, question.headers);
      const taken = await collector.take(question.spans);
      for (const { spanId, parentId } of taken) ids.add(spanId).add(parentId);
      const spans = comparable(taken, upstreamPort);
      seen[name].set(question.name, { spans, upstream: heard.splice(0), answer });
    }
    const expected = questions.length + forced;
    await until(`${expected} log records`, () => collector.logs.length >= expected, { everyMs: 10 });
    logs[name] = collector.logs
      .map(({ traceId, spanId, body }) => ({
        isGiven: given.includes(traceId),
        isOfSpan: ids.has(spanId),
        says: body === `${traceId} ${spanId}` ? "ids" : body,
      }))
      .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
    const text = await (await fetch(`http://${proxy.admin}/stats`)).text();
    stats[name] = text
      .split("\n")
      .filter((line) => /tracing/.test(line) && !/health_check|timer_flushed/.test(line))
      .sort();
    await proxy.close();
    server.closeAllConnections();
    server.close();
    collector.close();
  }
});

after(() => rmSync(directory, { recursive: true }));

for (const { name } of questions) {
  test(`${name}: traced as Envoy traces it`, withEnvoy, () => {
    assert.deepEqual(seen.weft.get(name), seen.envoy.get(name));
  });
}

test("decisions and spans are counted as Envoy counts them", withEnvoy, () => {
  assert.deepEqual(stats.weft, stats.envoy);
});

test("access logs know the trace, the span, and what must be traced, as Envoy's do", withEnvoy, () => {
  assert.equal(logs.weft!.length, questions.length + forced);
  assert.deepEqual(logs.weft, logs.envoy);
});
