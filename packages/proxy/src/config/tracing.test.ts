import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it, test } from "node:test";
import { create, fromBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { OpenTelemetryConfigSchema } from "@weft/xds/gen/envoy/config/trace/v3/opentelemetry_pb";
import { EnvironmentResourceDetectorConfigSchema } from "@weft/xds/gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/environment_resource_detector_pb";
import { ExportTraceServiceRequestSchema } from "@weft/xds/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb";
import { startWeft } from "../filters/side-by-side-fixture.ts";
import { resourceOf } from "./decode-otel-tracer.ts";
import { Issues } from "./issues.ts";
import { encodeSpans } from "./otlp-spans.ts";
import { type CollectedSpan, decodeSpans, eventually, tracingBootstrap } from "./test-tracing.ts";
import { compileText } from "./testing.ts";

const given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/** A collector that takes spans by HTTP, answers with `status`, and says what it was sent. */
async function startHttpCollector() {
  const exports: { headers: IncomingHttpHeaders; url: string; spans: CollectedSpan[] }[] = [];
  const state = { status: 200 };
  const server = createServer((message, response) => {
    const chunks: Buffer[] = [];
    message.on("data", (chunk: Buffer) => chunks.push(chunk));
    message.on("end", () => {
      const spans = decodeSpans(Buffer.concat(chunks));
      exports.push({ headers: message.headers, url: message.url ?? "", spans });
      response.writeHead(state.status).end();
    });
  });
  await listen(server);
  return { server, exports, state, port: portOf(server) };
}

const listen = (server: Server) => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const portOf = (server: Server) => (server.address() as AddressInfo).port;

function get(
  port: number,
  headers: Readonly<Record<string, string | string[]>>,
  path = "/a",
): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request({ host: "127.0.0.1", port, path, headers, agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    });
    call.on("error", reject);
    call.end();
  });
}

describe("traces by HTTP", () => {
  let collector: Awaited<ReturnType<typeof startHttpCollector>>;
  let upstream: Server;
  let heard: IncomingHttpHeaders[] = [];
  let proxy: Awaited<ReturnType<typeof startWeft>>;

  before(async () => {
    collector = await startHttpCollector();
    upstream = createServer((message, response) => {
      heard.push(message.headers);
      response.end();
    });
    await listen(upstream);
    const setup = {
      collectorPort: collector.port,
      upstreamPort: portOf(upstream),
      exporter: "http",
    } as const;
    proxy = await startWeft(tracingBootstrap(setup));
  });

  after(async () => {
    await proxy.close();
    for (const server of [upstream, collector.server]) {
      server.closeAllConnections();
      server.close();
    }
  });

  const stat = async (name: string) => {
    const text = await (await fetch(`http://${proxy.admin}/stats`)).text();
    return Number(new RegExp(`^tracing\\.opentelemetry\\.${name}: (\\d+)$`, "m").exec(text)?.[1]);
  };
  const spans = () => collector.exports.flatMap((one) => one.spans);

  it("are posted as protobuf, with the fields that are configured", async () => {
    collector.exports.length = 0;
    assert.equal(await get(proxy.ports.get("out")!, {}), 200);
    const [first] = await eventually(
      () => collector.exports,
      (exports) => exports.length > 0,
    );
    assert.equal(first!.url, "/v1/traces");
    assert.equal(first!.headers["content-type"], "application/x-protobuf");
    assert.equal(first!.headers["x-tenant"], "blue");
    assert.equal(first!.spans.length, 1);
  });

  it("tell what OpenTelemetry's conventions ask for", async () => {
    collector.exports.length = 0;
    await get(proxy.ports.get("out")!, { host: "web.example:8080", "user-agent": "test/1" });
    const [span] = await eventually(spans, (all) => all.length > 0);
    const { attributes } = span!;
    const wanted = {
      "http.request.method": "GET",
      "http.response.status_code": 200n,
      "url.scheme": "http",
      "url.path": "/a",
      "server.address": "web.example",
      "server.port": 8080n,
      "network.protocol.version": "1.1",
      "client.address": "127.0.0.1",
      "user_agent.original": "test/1",
      response_code_details: "via_upstream",
    };
    assert.deepEqual(Object.fromEntries(Object.keys(wanted).map((name) => [name, attributes[name]])), wanted);
  });

  it("say what decided where the answer was made here, and nothing where it was not", async () => {
    const decidedOf = async (path: string) => {
      collector.exports.length = 0;
      assert.ok((await get(proxy.ports.get("out")!, {}, path)) > 0);
      const [span] = await eventually(spans, (all) => all.length > 0);
      return span!.attributes["weft.decided_by"];
    };
    assert.equal(await decidedOf("/direct"), "a route of v");
    assert.equal(await decidedOf("/refused"), "cluster refusing");
    assert.equal(await decidedOf("/a"), undefined);
  });

  const malformed: readonly [string, Readonly<Record<string, string | string[]>>][] = [
    ["no context", { traceparent: "00-zz" }],
    ["two of them", { traceparent: [given, given] }],
    ["one that is too long", { traceparent: `${given}${"0".repeat(8_000)}` }],
  ];
  for (const [what, headers] of malformed) {
    it(`begin anew where the request has ${what}`, async () => {
      heard = [];
      collector.exports.length = 0;
      await get(proxy.ports.get("out")!, { ...headers, tracestate: "a=1" });
      const [span] = await eventually(spans, (all) => all.length > 0);
      assert.equal(span!.parentId, "");
      assert.notEqual(span!.traceId, given.slice(3, 35));
      assert.equal(heard[0]!.traceparent, `00-${span!.traceId}-${span!.spanId}-01`);
      assert.equal(heard[0]!.tracestate, undefined);
    });
  }

  it("are dropped and counted where the collector refuses them, and requests go on", async () => {
    const before = [await stat("spans_sent"), await stat("spans_dropped")];
    collector.state.status = 503;
    assert.equal(await get(proxy.ports.get("out")!, {}), 200);
    await eventually(
      () => stat("spans_dropped"),
      (dropped) => dropped === before[1]! + 1,
    );
    assert.equal(await stat("spans_sent"), before[0]);
    collector.state.status = 200;
  });

  it("are dropped and counted where the collector is away, and requests go on", async () => {
    const dropped = await stat("spans_dropped");
    collector.server.closeAllConnections();
    await new Promise((resolve) => collector.server.close(resolve));
    for (let i = 0; i < 3; i++) assert.equal(await get(proxy.ports.get("out")!, {}), 200);
    await eventually(
      () => stat("spans_dropped"),
      (now) => now === dropped + 3,
    );
  });
});

const hcm = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.tracing";
const refusals: readonly [string, string, string][] = [
  ["no provider", "{}", `${hcm}.provider: needs \`typed_config\``],
  ["verbose", "{ verbose: true }", `${hcm}.verbose: \`verbose\` is not implemented`],
  [
    "a share that is none",
    "{ random_sampling: { value: 101 } }",
    `${hcm}.random_sampling: 101 is not a percentage`,
  ],
  ["a tag without a value", "{ custom_tags: [{ tag: a }] }", `${hcm}.custom_tags[0]: needs a value`],
  [
    "metadata of an endpoint",
    "{ custom_tags: [{ tag: a, metadata: { kind: { host: {} }, metadata_key: { key: a, path: [{ key: b }] } } }] }",
    `${hcm}.custom_tags[0].metadata.kind.host: \`host\` is not implemented`,
  ],
  ["an operator that does not exist", "{ operation: '%NOPE%' }", `${hcm}.operation: unknown operator`],
  [
    "a collector's cluster that does not exist",
    '{ provider: { name: o, typed_config: { "@type": type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig, grpc_service: { envoy_grpc: { cluster_name: gone } } } } }',
    `${hcm}.provider.typed_config.grpc_service.envoy_grpc.cluster_name: unknown cluster 'gone'`,
  ],
];

for (const [what, tracing, expected] of refusals) {
  test(`tracing is refused with ${what}`, () => {
    const text = `
static_resources:
  listeners:
  - name: main
    address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: test
          tracing: ${tracing}
          route_config: { virtual_hosts: [] }
          http_filters: [{ name: router, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } }]
`;
    assert.throws(
      () => compileText(text),
      (error: Error) => {
        assert.ok(error.message.includes(expected), error.message);
        return true;
      },
    );
  });
}

test("who reports is what the environment says, over what is configured", () => {
  const typedConfig = anyPack(
    EnvironmentResourceDetectorConfigSchema,
    create(EnvironmentResourceDetectorConfigSchema),
  );
  const config = create(OpenTelemetryConfigSchema, {
    serviceName: "configured",
    resourceDetectors: [{ name: "environment", typedConfig }],
  });
  const issues = new Issues();
  process.env.OTEL_RESOURCE_ATTRIBUTES = "service.name=web%2Fone, team = a ,broken,=b,bad=%zz";
  try {
    const attributes = resourceOf(config, "resource_detectors", issues);
    assert.deepEqual(attributes, ["service.name", "web/one", "team", "a"]);
    const message = fromBinary(ExportTraceServiceRequestSchema, encodeSpans([], attributes));
    assert.equal(message.resourceSpans[0]!.resource!.attributes[0]!.value!.value.value, "web/one");
  } finally {
    delete process.env.OTEL_RESOURCE_ATTRIBUTES;
  }
});
