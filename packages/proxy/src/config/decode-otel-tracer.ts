import type { OpenTelemetryConfig } from "@weft/xds/gen/envoy/config/trace/v3/opentelemetry_pb";
import { callGrpc } from "../filters/grpc-callout.ts";
import type { SpanSink } from "../tracing/tracing-plan.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeGrpcService } from "./decode-grpc-service.ts";
import { unpackAny } from "./extension-registry.ts";
import { at, type Issues } from "./issues.ts";
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
  const { grpcService, httpService, maxCacheSize } = config;
  const resource = resourceOf(config, at(path, "resource_detectors"), context.issues);
  return spanSink(
    {
      name: "opentelemetry",
      identity: [resource, grpcService, httpService],
      maxWaiting: maxCacheSize,
      encode: (spans) => encodeSpans(spans, resource),
      send: decodeSend(config, path, context),
    },
    context,
  );
}

/**
 * Who reports, flat: the configured name, and over it what detectors find.
 *
 * @see https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable
 */
export function resourceOf(
  { serviceName, resourceDetectors }: OpenTelemetryConfig,
  path: string,
  issues: Issues,
): string[] {
  const found = new Map([["service.name", serviceName || "unknown_service:weft"]]);
  resourceDetectors.forEach(({ typedConfig }, i) => {
    const place = `${path}[${i}].typed_config`;
    if (!typedConfig || unpackAny(typedConfig) === undefined)
      issues.add(place, "names no detector known here");
    for (const pair of (process.env.OTEL_RESOURCE_ATTRIBUTES ?? "").split(",")) {
      const at = pair.indexOf("=");
      if (at < 1) continue;
      try {
        found.set(pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim()));
      } catch {
        // What cannot be decoded names nothing.
      }
    }
  });
  return [...found].flat();
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
