import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { ExportTraceServiceRequestSchema } from "@weft/xds/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb";
import type { KeyValueSchema } from "@weft/xds/gen/opentelemetry/proto/common/v1/common_pb";
import {
  Span_SpanKind as SpanKind,
  type SpanSchema,
  Status_StatusCode as StatusCode,
} from "@weft/xds/gen/opentelemetry/proto/trace/v1/trace_pb";
import type { Span } from "../tracing/tracing-plan.ts";

type Attribute = MessageInitShape<typeof KeyValueSchema>;

/** An `ExportTraceServiceRequest` with these spans of one service, whose attributes are flat. */
export function encodeSpans(spans: readonly Span[], ofService: readonly string[]): Uint8Array {
  const resource = {
    attributes: attributesOf([
      ...ofService,
      ...["telemetry.sdk.name", "weft", "telemetry.sdk.language", "nodejs"],
    ]),
  };
  const instrumentationLibrary = { name: "weft" };
  const request = create(ExportTraceServiceRequestSchema, {
    resourceSpans: [
      { resource, instrumentationLibrarySpans: [{ instrumentationLibrary, spans: spans.map(encodeSpan) }] },
    ],
  });
  return toBinary(ExportTraceServiceRequestSchema, request);
}

function encodeSpan(span: Span): MessageInitShape<typeof SpanSchema> {
  return {
    traceId: Buffer.from(span.traceId, "hex"),
    spanId: Buffer.from(span.spanId, "hex"),
    parentSpanId: Buffer.from(span.parentId, "hex"),
    traceState: span.traceState,
    name: span.name,
    kind: span.kind === "server" ? SpanKind.SERVER : SpanKind.CLIENT,
    startTimeUnixNano: nanoseconds(span.startMs),
    endTimeUnixNano: nanoseconds(span.endMs),
    attributes: attributesOf(span.attributes),
    ...(span.isError ? { status: { code: StatusCode.ERROR } } : {}),
  };
}

function nanoseconds(epochMs: number): bigint {
  return BigInt(Math.round(epochMs * 1_000)) * 1_000n;
}

function attributesOf(flat: readonly (string | number)[]): Attribute[] {
  const attributes: Attribute[] = [];
  for (let i = 0; i < flat.length; i += 2) {
    const value = flat[i + 1]!;
    attributes.push({
      key: String(flat[i]),
      value: {
        value:
          typeof value === "string"
            ? { case: "stringValue", value }
            : { case: "intValue", value: BigInt(value) },
      },
    });
  }
  return attributes;
}
