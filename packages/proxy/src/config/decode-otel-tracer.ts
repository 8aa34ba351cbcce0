import type { HttpService } from "@weft/xds/gen/envoy/config/core/v3/http_service_pb";
import type { OpenTelemetryConfig } from "@weft/xds/gen/envoy/config/trace/v3/opentelemetry_pb";
import { callGrpc } from "../filters/grpc-callout.ts";
import { HeaderList } from "../layer/header-list.ts";
import { ExportBatch } from "../telemetry/export-batch.ts";
import type { Span, SpanSink } from "../tracing/tracing-plan.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeGrpcService } from "./decode-grpc-service.ts";
import { decodeHeaderEdit } from "./decode-header-edits.ts";
import { decodeHttpUri } from "./decode-http-uri.ts";
import { at } from "./issues.ts";
import { encodeSpans } from "./otlp-spans.ts";

type SendSpans = (bytes: Uint8Array, done: (isDelivered: boolean) => void) => void;

const exportPath = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const exportTimeoutMs = 10_000;
const defaultFlushIntervalMs = 5_000;
const defaultFlushSpans = 256;
const defaultWaitingSpans = 1_024;
const batchBytes = 512 * 1024;
const maxAnswerBytes = 64 * 1024;

/** Where spans go that are configured alike: one queue for all listeners of a process. */
const sinks = new WeakMap<DecodeContext["services"], Map<string, SpanSink>>();

/**
 * Sends spans to an OpenTelemetry collector, in batches.
 *
 * @see envoy.config.trace.v3.OpenTelemetryConfig
 */
export function decodeOtelTracer(
  config: OpenTelemetryConfig,
  path: string,
  context: DecodeContext,
): SpanSink {
  const { services, runtime } = context;
  const send = decodeSend(config, path, context);
  const serviceName = config.serviceName || "unknown_service:weft";
  const number = (name: string, fallback: number) => {
    const value = runtime.get(`tracing.opentelemetry.${name}`);
    return typeof value === "number" && value >= 1 ? value : fallback;
  };
  let known = sinks.get(services);
  if (!known) {
    known = new Map();
    sinks.set(services, known);
  }
  const key = JSON.stringify(
    [serviceName, config.grpcService, config.httpService, config.maxCacheSize],
    (_, value) => (typeof value === "bigint" ? String(value) : value),
  );
  const before = known.get(key);
  if (before) return before;
  const batch = new ExportBatch<Span>({
    clock: services.clock,
    flushIntervalMs: number("flush_interval_ms", defaultFlushIntervalMs),
    batchBytes,
    batchRecords: number("min_flush_spans", defaultFlushSpans),
    maxWaitingRecords: config.maxCacheSize ?? defaultWaitingSpans,
    written: services.stats.counter("tracing.opentelemetry.spans_sent"),
    dropped: services.stats.counter("tracing.opentelemetry.spans_dropped"),
    send: (spans, done) => send(encodeSpans(spans, serviceName), done),
  });
  const sink: SpanSink = { report: (span) => batch.add(span, sizeOf(span)) };
  known.set(key, sink);
  return sink;
}

function decodeSend(
  { grpcService, httpService }: OpenTelemetryConfig,
  path: string,
  context: DecodeContext,
): SendSpans {
  if (grpcService && httpService)
    context.issues.add(at(path, "http_service"), "excludes `grpc_service`", "keep one of them");
  if (httpService) return decodeHttpSend(httpService, at(path, "http_service"), context);
  const target = decodeGrpcService(grpcService, exportTimeoutMs, at(path, "grpc_service"), context);
  const { callouts } = context.services;
  return (bytes, done) => {
    callGrpc(callouts, target, exportPath, bytes, (reply) => done(reply !== undefined));
  };
}

function decodeHttpSend(service: HttpService, path: string, context: DecodeContext): SendSpans {
  const { callouts } = context.services;
  const target = decodeHttpUri(service.httpUri, at(path, "http_uri"), context);
  const fields = service.requestHeadersToAdd.flatMap((option, i) => {
    const place = `${at(path, "request_headers_to_add")}[${i}]`;
    const { name, value } = decodeHeaderEdit(option, place, context);
    if (typeof value === "string") return [name, value];
    context.issues.add(
      at(place, "header.value"),
      "holds operators, and there is no request to fill them in from",
    );
    return [];
  });
  return (bytes, done) => {
    const headers = new HeaderList([
      ...["content-type", "application/x-protobuf", "content-length", `${bytes.length}`],
      ...fields,
    ]);
    const { cluster, scheme, authority, path: resource, timeoutMs } = target;
    callouts.start(
      {
        cluster,
        head: { method: "POST", path: resource, authority, scheme, upgrade: "", headers },
        body: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
        timeoutMs,
        maxResponseBytes: maxAnswerBytes,
      },
      (result) => done(result.kind === "response" && result.head.status >= 200 && result.head.status < 300),
    );
  };
}

/** About what a span takes, waiting and sent. */
function sizeOf({ attributes, name, traceState }: Span): number {
  let bytes = 128 + name.length + traceState.length;
  for (const part of attributes) bytes += typeof part === "string" ? part.length + 4 : 8;
  return bytes;
}
