import type { OpenTelemetryConfig } from "@weft/xds/gen/envoy/config/trace/v3/opentelemetry_pb";
import { callGrpc } from "../filters/grpc-callout.ts";
import type { SpanSink } from "../tracing/tracing-plan.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeGrpcService } from "./decode-grpc-service.ts";
import { at } from "./issues.ts";
import { encodeSpans } from "./otlp-spans.ts";
import { postToService, type SendBytes, spanSink } from "./span-export.ts";

const exportPath = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const exportTimeoutMs = 10_000;

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
  const serviceName = config.serviceName || "unknown_service:weft";
  const { grpcService, httpService, maxCacheSize } = config;
  return spanSink(
    {
      name: "opentelemetry",
      identity: [serviceName, grpcService, httpService],
      maxWaiting: maxCacheSize,
      encode: (spans) => encodeSpans(spans, serviceName),
      send: decodeSend(config, path, context),
    },
    context,
  );
}

function decodeSend(
  { grpcService, httpService }: OpenTelemetryConfig,
  path: string,
  context: DecodeContext,
): SendBytes {
  const place = at(path, "http_service");
  if (grpcService && httpService) context.issues.add(place, "excludes `grpc_service`", "keep one of them");
  if (httpService) return postToService(httpService, "application/x-protobuf", place, context);
  const target = decodeGrpcService(grpcService, exportTimeoutMs, at(path, "grpc_service"), context);
  const { callouts } = context.services;
  return (bytes, done) => {
    callGrpc(callouts, target, exportPath, bytes, (reply) => done(reply !== undefined));
  };
}
