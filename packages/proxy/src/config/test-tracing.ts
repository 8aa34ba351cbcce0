/** A collector of spans, and a bootstrap whose listeners trace in every way; for tests of tracing. */
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { fromBinary } from "@bufbuild/protobuf";
import { until } from "@weft/testkit/until";
import { ExportLogsServiceRequestSchema } from "@weft/xds/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb";
import { ExportTraceServiceRequestSchema } from "@weft/xds/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb";
import { envoyType, loopback, overHttp2, staticCluster } from "./test-static-cluster.ts";

/** A span as it arrived, with ids in hexadecimal. */
export interface CollectedSpan {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
  readonly state: string;
  readonly isError: boolean;
  /** Whether it began lately and ended after that. */
  readonly isTimely: boolean;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** What an access log record says of its request's trace. */
export interface CollectedLog {
  readonly traceId: string;
  readonly spanId: string;
  readonly body: unknown;
}

export interface SpanCollector {
  readonly port: number;
  readonly logs: readonly CollectedLog[];
  /** The next `count` spans; those that come too many make it fail. */
  take(count: number): Promise<readonly CollectedSpan[]>;
  close(): void;
}

/** Answers exports over gRPC, and keeps what they bring. */
export async function startSpanCollector(): Promise<SpanCollector> {
  const spans: CollectedSpan[] = [];
  const logs: CollectedLog[] = [];
  const server = createServer();
  server.on("stream", (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      const message = Buffer.concat(chunks).subarray(5);
      if (headers[":path"]?.includes("LogsService")) logs.push(...decodeLogs(message));
      else spans.push(...decodeSpans(message));
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.alloc(5));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  return {
    port: (server.address() as AddressInfo).port,
    logs,
    async take(count) {
      await until(`${count} spans`, () => spans.length >= count, { everyMs: 10 });
      if (spans.length !== count)
        throw new Error(`${spans.length} spans instead of ${count}: ${JSON.stringify(spans)}`);
      return spans.splice(0);
    },
    close: () => void server.close(),
  };
}

/** The spans of an `ExportTraceServiceRequest`. */
export function decodeSpans(message: Buffer): CollectedSpan[] {
  const { resourceSpans } = fromBinary(ExportTraceServiceRequestSchema, message);
  return resourceSpans.flatMap(({ instrumentationLibrarySpans }) =>
    instrumentationLibrarySpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        name: span.name,
        kind: span.kind,
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentId: hex(span.parentSpanId),
        state: span.traceState,
        isError: span.status?.code === 2,
        isTimely:
          span.endTimeUnixNano >= span.startTimeUnixNano &&
          Math.abs(Number(span.startTimeUnixNano / 1_000_000n) - Date.now()) < 600_000,
        attributes: Object.fromEntries(span.attributes.map(({ key, value }) => [key, value?.value.value])),
      })),
    ),
  );
}

function decodeLogs(message: Buffer): CollectedLog[] {
  const { resourceLogs } = fromBinary(ExportLogsServiceRequestSchema, message);
  return resourceLogs.flatMap(({ instrumentationLibraryLogs }) =>
    instrumentationLibraryLogs.flatMap(({ logs }) =>
      logs.map(({ traceId, spanId, body }) => ({
        traceId: hex(traceId),
        spanId: hex(spanId),
        body: body?.value.value,
      })),
    ),
  );
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

const customTags = [
  { tag: "custom.literal", literal: { value: "of all" } },
  { tag: "custom.header", request_header: { name: "x-h", default_value: "otherwise" } },
  { tag: "custom.no_header", request_header: { name: "x-none" } },
  { tag: "custom.environment", environment: { name: "PATH" } },
  { tag: "custom.no_environment", environment: { name: "WEFT_NOT_SET", default_value: "otherwise" } },
  { tag: "custom.environment_without", environment: { name: "WEFT_NOT_SET" } },
  metadataTag("custom.metadata", ["b"], { default_value: "otherwise" }),
  metadataTag("custom.object", ["o"], {}),
  { tag: "custom.format", value: "%REQ(:METHOD)% %REQ(:PATH)%" },
  { tag: "custom.no_format", value: "%REQ(x-none)%" },
];

function metadataTag(tag: string, path: readonly string[], more: object): object {
  const metadata_key = { key: "a", path: path.map((key) => ({ key })) };
  return { tag, metadata: { kind: { route: {} }, metadata_key, ...more } };
}

const routes = [
  { match: { prefix: "/decorated" }, decorator: { operation: "decorated" }, route: { cluster: "upstream" } },
  {
    match: { prefix: "/silent" },
    decorator: { operation: "quiet", propagate: false },
    route: { cluster: "upstream" },
  },
  {
    match: { prefix: "/both" },
    decorator: { operation: "decorated" },
    tracing: { operation: "named" },
    route: { cluster: "upstream" },
  },
  { match: { prefix: "/unsampled" }, tracing: { random_sampling: {} }, route: { cluster: "upstream" } },
  {
    name: "named",
    match: { prefix: "/named" },
    metadata: { filter_metadata: { a: { b: "value", o: { list: [1, true, "x"] } } } },
    tracing: {
      operation: "server %REQ(:METHOD)%",
      upstream_operation: "client %REQ(:METHOD)%",
      custom_tags: [
        { tag: "custom.literal", literal: { value: "of the route" } },
        { tag: "custom.more", literal: { value: "more" } },
      ],
    },
    route: { cluster: "upstream" },
  },
  { match: { prefix: "/direct" }, direct_response: { status: 403, body: { inline_string: "no" } } },
  { match: { prefix: "/refused" }, route: { cluster: "refusing" } },
  {
    match: { prefix: "/retry" },
    route: {
      cluster: "upstream",
      retry_policy: { retry_on: "5xx", num_retries: 1, retry_back_off: { base_interval: "0.001s" } },
    },
  },
  { match: { prefix: "/" }, route: { cluster: "upstream" } },
];

export interface TracingSetup {
  readonly collectorPort: number;
  readonly upstreamPort: number;
  readonly serviceName?: string;
  /** How spans are sent; by gRPC, with an access log beside them, unless it says otherwise. */
  readonly exporter?: "grpc" | "http";
}

/** Listeners `in`, `out`, `spawn`, `none` and `half`, named for what they trace. */
export function tracingBootstrap(setup: TracingSetup): string {
  const { collectorPort, upstreamPort, serviceName = "web", exporter = "grpc" } = setup;
  const cluster_name = "collector";
  const services = {
    grpc: { grpc_service: { envoy_grpc: { cluster_name } } },
    http: {
      http_service: {
        http_uri: { uri: "http://collector.example/v1/traces", cluster: cluster_name, timeout: "1s" },
        request_headers_to_add: [{ header: { key: "x-tenant", value: "blue" } }],
      },
    },
  };
  const typed_config = {
    ...envoyType("config.trace.v3.OpenTelemetryConfig"),
    ...services[exporter],
    service_name: serviceName,
  };
  const logger = (text: string) => ({
    ...envoyType("extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig"),
    common_config: {
      log_name: "log",
      grpc_service: { envoy_grpc: { cluster_name } },
      buffer_flush_interval: "0.03s",
    },
    body: { string_value: text },
  });
  const logs = [
    { name: "ids", typed_config: logger("%TRACE_ID% %SPAN_ID%") },
    { name: "forced", filter: { traceable_filter: {} }, typed_config: logger("forced") },
  ];
  const access_log = exporter === "grpc" ? logs : [];
  const listener = (name: string, traffic_direction: string, tracing: object) => {
    const manager = {
      ...envoyType("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
      stat_prefix: name,
      access_log,
      tracing: { provider: { name: "otel", typed_config }, ...tracing },
      route_config: { virtual_hosts: [{ name: "v", domains: ["*"], routes }] },
      http_filters: [{ name: "router", typed_config: envoyType("extensions.filters.http.router.v3.Router") }],
    };
    const filter_chains = [{ filters: [{ name: "hcm", typed_config: manager }] }];
    return { name, address: loopback(0), traffic_direction, filter_chains };
  };
  const static_layer = { tracing: { opentelemetry: { flush_interval_ms: 30 } } };
  return JSON.stringify({
    node: { id: "node-1", cluster: "cluster-1", locality: { zone: "zone-1" } },
    admin: { address: loopback(0) },
    layered_runtime: { layers: [{ name: "static", static_layer }] },
    static_resources: {
      listeners: [
        listener("in", "INBOUND", { custom_tags: customTags, max_path_tag_length: 10 }),
        listener("out", "OUTBOUND", {}),
        listener("spawn", "UNSPECIFIED", { spawn_upstream_span: true, custom_tags: customTags }),
        listener("none", "OUTBOUND", { random_sampling: { value: 0 } }),
        listener("half", "OUTBOUND", { random_sampling: { value: 50 } }),
      ],
      clusters: [
        staticCluster("upstream", upstreamPort),
        staticCluster("refusing", 1),
        staticCluster(cluster_name, collectorPort, exporter === "grpc" ? overHttp2 : {}),
      ],
    },
  });
}

/** What is read, once it is as it should be: it is told of by and by. */
export async function eventually<T>(read: () => Promise<T> | T, isIt: (value: T) => boolean): Promise<T> {
  let last: T | undefined;
  const look = async () => {
    last = await read();
    return isIt(last);
  };
  await until("what was told", look, { said: () => JSON.stringify(last) });
  return last!;
}
