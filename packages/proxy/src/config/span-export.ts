import type { HttpService } from "@weft/xds/gen/envoy/config/core/v3/http_service_pb";
import { HeaderList } from "../layer/header-list.ts";
import { ExportBatch } from "../telemetry/export-batch.ts";
import type { Span, SpanSink } from "../tracing/tracing-plan.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeHeaderEdit } from "./decode-header-edits.ts";
import { type CalloutTarget, decodeHttpUri } from "./decode-http-uri.ts";
import { at } from "./issues.ts";

/** Sends one batch; `done` comes once, with whether it arrived. */
export type SendBytes = (bytes: Uint8Array, done: (isDelivered: boolean) => void) => void;

export interface SpanExport {
  /** In statistics and runtime keys: `tracing.NAME.`. */
  readonly name: string;
  /** What tells this destination, and how it is reached, from others. */
  readonly identity: unknown;
  /** More spans may not wait. */
  readonly maxWaiting: number | undefined;
  readonly encode: (spans: readonly Span[]) => Uint8Array;
  readonly send: SendBytes;
}

const defaultFlushIntervalMs = 5_000;
const defaultFlushSpans = 64;
const defaultWaitingSpans = 1_024;
const batchBytes = 512 * 1024;
const maxAnswerBytes = 64 * 1024;

/** Where spans go that are configured alike: one queue for all listeners of a process. */
const sinks = new WeakMap<DecodeContext["services"], Map<string, SpanSink>>();

/** The queue in front of a collector, made when it is first asked for. */
export function spanSink(destination: SpanExport, { services, runtime }: DecodeContext): SpanSink {
  const { name, identity, maxWaiting = defaultWaitingSpans, encode, send } = destination;
  let known = sinks.get(services);
  if (!known) {
    known = new Map();
    sinks.set(services, known);
  }
  const key = JSON.stringify([name, maxWaiting, identity], (_, value) =>
    typeof value === "bigint" ? String(value) : value,
  );
  const before = known.get(key);
  if (before) return before;
  const number = (setting: string, fallback: number) => {
    const value = runtime.get(`tracing.${name}.${setting}`);
    return typeof value === "number" && value >= 1 ? value : fallback;
  };
  const batch = new ExportBatch<Span>({
    clock: services.clock,
    flushIntervalMs: number("flush_interval_ms", defaultFlushIntervalMs),
    batchBytes,
    batchRecords: number("min_flush_spans", defaultFlushSpans),
    maxWaitingRecords: maxWaiting,
    written: services.stats.counter(`tracing.${name}.spans_sent`),
    dropped: services.stats.counter(`tracing.${name}.spans_dropped`),
    send: (spans, done) => send(encode(spans), done),
  });
  const sink: SpanSink = { report: (span) => batch.add(span, sizeOf(span)) };
  known.set(key, sink);
  return sink;
}

/** Posts batches to an HTTP server. */
export function postTo(
  target: CalloutTarget,
  contentType: string,
  fields: readonly string[],
  { services }: DecodeContext,
): SendBytes {
  const { cluster, scheme, authority, path, timeoutMs } = target;
  return (bytes, done) => {
    const headers = new HeaderList([
      ...["content-type", contentType, "content-length", `${bytes.length}`],
      ...fields,
    ]);
    services.callouts.start(
      {
        cluster,
        head: { method: "POST", path, authority, scheme, upgrade: "", headers },
        body: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
        timeoutMs,
        maxResponseBytes: maxAnswerBytes,
      },
      (result) => done(result.kind === "response" && result.head.status >= 200 && result.head.status < 300),
    );
  };
}

/** As `postTo`, to where the message says and with the fields it adds. */
export function postToService(
  service: HttpService,
  contentType: string,
  path: string,
  context: DecodeContext,
): SendBytes {
  const target = decodeHttpUri(service.httpUri, at(path, "http_uri"), context);
  const fields = service.requestHeadersToAdd.flatMap((option, i) => {
    const place = `${at(path, "request_headers_to_add")}[${i}]`;
    const { name, value } = decodeHeaderEdit(option, place, context);
    if (typeof value === "string") return [name, value];
    const problem = "holds operators, and there is no request to fill them in from";
    context.issues.add(at(place, "header.value"), problem);
    return [];
  });
  return postTo(target, contentType, fields, context);
}

/** About what a span takes, waiting and sent. */
function sizeOf({ attributes, name, traceState }: Span): number {
  let bytes = 128 + name.length + traceState.length;
  for (const part of attributes) bytes += typeof part === "string" ? part.length + 4 : 8;
  return bytes;
}
