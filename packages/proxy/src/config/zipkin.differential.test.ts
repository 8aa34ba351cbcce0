import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { until } from "@weft/testkit/until";
import { envoy, startEnvoy, startWeft, withEnvoy } from "../filters/side-by-side-fixture.ts";

const trace = "0af7651916cd43dd8448eb211c80319c";
const span = "b7ad6b7169203331";
const above = "00000000000000aa";
const multiple = {
  "x-b3-traceid": trace,
  "x-b3-spanid": span,
  "x-b3-parentspanid": above,
  "x-b3-sampled": "1",
};

const questions: readonly [
  name: string,
  listener: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  spans: number,
][] = [
  ["a new trace", "long", "/a", {}, 1],
  ["a new trace with a short id", "none", "/a", {}, 0],
  ["a span shared with the caller", "in", "/a", multiple, 1],
  ["a span below the caller's", "apart", "/a", multiple, 1],
  ["a caller that does not sample", "in", "/a", { ...multiple, "x-b3-sampled": "0" }, 0],
  ["a caller that samples what is not chosen here", "none", "/a", multiple, 1],
  [
    "a short trace id, and no decision",
    "long",
    "/503",
    { "x-b3-traceid": trace.slice(16), "x-b3-spanid": span },
    1,
  ],
  ["one field", "long", "/a", { b3: `${trace}-${span}-1-${above}` }, 1],
  ["one field, for debugging", "long", "/404", { b3: `${trace}-${span}-d` }, 1],
  ["one field that only says no", "long", "/a", { b3: "0" }, 0],
  ["a span of the attempt", "spawn", "/a", multiple, 2],
];

interface ZipkinSpan {
  readonly traceId: string;
  readonly id: string;
  readonly parentId?: string;
  readonly shared?: boolean;
  readonly name: string;
  readonly kind: string;
  readonly timestamp: number;
  readonly duration: number;
  readonly localEndpoint: { readonly serviceName: string; readonly ipv4: string };
  readonly tags: Readonly<Record<string, string>>;
}

/** Both the service and the collector. */
async function startServer(): Promise<{ server: Server; heard: IncomingHttpHeaders[]; spans: ZipkinSpan[] }> {
  const heard: IncomingHttpHeaders[] = [];
  const spans: ZipkinSpan[] = [];
  const server = createServer((message, response) => {
    const chunks: Buffer[] = [];
    message.on("data", (chunk: Buffer) => chunks.push(chunk));
    message.on("end", () => {
      if (message.url === "/api/v2/spans") {
        assert.equal(message.headers["content-type"], "application/json");
        spans.push(...(JSON.parse(Buffer.concat(chunks).toString()) as ZipkinSpan[]));
        response.writeHead(202).end();
        return;
      }
      heard.push(message.headers);
      response.writeHead(Number(/\d{3}/.exec(message.url!)?.[0] ?? 200)).end("hi");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, heard, spans };
}

function bootstrapOf(port: number): string {
  const type = (name: string) => ({ "@type": `type.googleapis.com/envoy.${name}` });
  const address = (port_value: number) => ({ socket_address: { address: "127.0.0.1", port_value } });
  const listener = (name: string, traffic_direction: string, zipkin: object, tracing: object) => {
    const typed_config = {
      ...type("config.trace.v3.ZipkinConfig"),
      collector_cluster: "server",
      collector_endpoint: "/api/v2/spans",
      collector_endpoint_version: "HTTP_JSON",
      ...zipkin,
    };
    const manager = {
      ...type("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
      stat_prefix: name,
      tracing: { provider: { name: "zipkin", typed_config }, ...tracing },
      route_config: {
        virtual_hosts: [
          { name: "v", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: "server" } }] },
        ],
      },
      http_filters: [{ name: "router", typed_config: type("extensions.filters.http.router.v3.Router") }],
    };
    const filter_chains = [{ filters: [{ name: "hcm", typed_config: manager }] }];
    return { name, address: address(0), traffic_direction, filter_chains };
  };
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }];
  return JSON.stringify({
    node: { id: "node-1", cluster: "cluster-1", locality: { zone: "zone-1" } },
    admin: { address: address(0) },
    layered_runtime: {
      layers: [{ name: "static", static_layer: { tracing: { zipkin: { flush_interval_ms: 30 } } } }],
    },
    static_resources: {
      listeners: [
        listener("in", "INBOUND", {}, {}),
        listener("apart", "INBOUND", { shared_span_context: false }, {}),
        listener("long", "OUTBOUND", { trace_id_128bit: true, shared_span_context: false }, {}),
        listener("none", "OUTBOUND", {}, { random_sampling: { value: 0 } }),
        listener("spawn", "INBOUND", {}, { spawn_upstream_span: true }),
      ],
      clusters: [
        {
          name: "server",
          connect_timeout: "1s",
          load_assignment: { cluster_name: "server", endpoints },
        },
      ],
    },
  });
}

/** Ids by what they stand for: given, or by their length. */
function labelled(id: string | undefined): string | undefined {
  const known: Readonly<Record<string, string>> = { [trace]: "trace", [span]: "span", [above]: "above" };
  if (id === undefined) return undefined;
  return known[id] ?? (trace.endsWith(id) ? "short trace" : `${id.length} digits`);
}

const envoyTags =
  /^(component|node_id|zone|http\.(url|method|status_code)|peer\.address|downstream_cluster|user_agent|response_flags|(request|response)_size|upstream_cluster.*|error)$/;

function comparable({
  traceId,
  id,
  parentId,
  shared,
  name,
  kind,
  timestamp,
  duration,
  tags,
  localEndpoint,
}: ZipkinSpan) {
  return {
    ids: [labelled(traceId), labelled(id), labelled(parentId), shared],
    name,
    kind,
    isTimely: Math.abs(timestamp / 1_000 - Date.now()) < 600_000 && duration > 0,
    service: localEndpoint.serviceName,
    tags: Object.fromEntries(
      Object.entries(tags)
        .filter(([key]) => envoyTags.test(key))
        .map(([key, value]) => [key, value.replace(/:\d+$/, ":port")])
        .sort(),
    ),
  };
}

function contextOf(headers: IncomingHttpHeaders): unknown {
  const names = ["x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid"];
  const single =
    headers.b3 === undefined
      ? undefined
      : String(headers.b3)
          .split("-")
          .map((part) => (part.length < 2 ? part : labelled(part)));
  return [
    ...names.map((name) => labelled(headers[name] as string | undefined)),
    headers["x-b3-sampled"],
    single,
  ];
}

function ask(port: number, path: string, headers: Readonly<Record<string, string>>): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = {
      host: "127.0.0.1",
      port,
      path,
      headers: { host: "svc.example", ...headers },
      agent: false,
    };
    const call = request(options, (response) => {
      response.resume();
      response.on("end", resolve);
    });
    call.on("error", reject);
    call.end();
  });
}

const directory = mkdtempSync(join(tmpdir(), "weft-zipkin-"));
const seen = { envoy: new Map<string, unknown>(), weft: new Map<string, unknown>() };

before(async () => {
  if (!envoy) return;
  for (const [plane, start] of [
    ["envoy", (bootstrap: string) => startEnvoy(bootstrap, directory)],
    ["weft", startWeft],
  ] as const) {
    const { server, heard, spans } = await startServer();
    const proxy = await start(bootstrapOf((server.address() as AddressInfo).port));
    for (const [name, listener, path, headers, count] of questions) {
      await ask(proxy.ports.get(listener)!, path, headers);
      await until(`${count} spans of ${name}`, () => spans.length >= count, { everyMs: 10 });
      const taken = spans
        .splice(0)
        .map(comparable)
        .sort((a, b) => (a.kind < b.kind ? -1 : 1));
      seen[plane].set(name, { context: heard.splice(0).map(contextOf), spans: taken });
    }
    await proxy.close();
    server.closeAllConnections();
    server.close();
  }
});

after(() => rmSync(directory, { recursive: true }));

for (const [name, , , , count] of questions) {
  test(`Zipkin, ${name}: traced as Envoy traces it`, withEnvoy, () => {
    const expected = seen.envoy.get(name) as { readonly spans: readonly unknown[] };
    assert.equal(expected.spans.length, count);
    assert.deepEqual(seen.weft.get(name), expected);
  });
}
