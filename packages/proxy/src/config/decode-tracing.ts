import type { OpenTelemetryConfig } from "@weft/xds/gen/envoy/config/trace/v3/opentelemetry_pb";
import type { ZipkinConfig } from "@weft/xds/gen/envoy/config/trace/v3/zipkin_pb";
import type {
  RequestIDExtension,
  HttpConnectionManager_Tracing as TracingMessage,
} from "@weft/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import type { UuidRequestIdConfig } from "@weft/xds/gen/envoy/extensions/request_id/uuid/v3/uuid_pb";
import type { Percent } from "@weft/xds/gen/envoy/type/v3/percent_pb";
import { b3Propagation } from "../tracing/b3-context.ts";
import type { Share } from "../tracing/sampling.ts";
import { w3cPropagation } from "../tracing/trace-context.ts";
import type { TracingPlan } from "../tracing/tracing-plan.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeCustomTags } from "./decode-custom-tags.ts";
import { decodeOtelTracer } from "./decode-otel-tracer.ts";
import { decodeOperation, type SamplingKey, withRuntime } from "./decode-route-tracing.ts";
import { decodeZipkinTracer } from "./decode-zipkin-tracer.ts";
import { unpackAny } from "./extension-registry.ts";
import { at } from "./issues.ts";

const defaultPathTagLength = 256;
const maxPathTagLength = 65_536;

/** What a connection manager traces, and where to. */
export function decodeTracing(
  tracing: TracingMessage,
  statPrefix: string,
  idExtension: RequestIDExtension | undefined,
  path: string,
  context: DecodeContext,
): TracingPlan {
  const { services, issues } = context;
  const share = (percent: Percent | undefined, name: string, key: SamplingKey) =>
    decodeShare(percent, key, at(path, name), context);
  const counter = (name: string) =>
    services.stats.counter(`http.{envoy_http_conn_manager_prefix}.tracing.${name}`, statPrefix);
  const pathTagLength = tracing.maxPathTagLength ?? defaultPathTagLength;
  if (pathTagLength > maxPathTagLength)
    issues.add(
      at(path, "max_path_tag_length"),
      `${pathTagLength} is too much`,
      `at most ${maxPathTagLength}`,
    );
  return {
    ...decodeProvider(tracing, at(path, "provider"), context),
    ...decodeRequestId(idExtension),
    shares: {
      client: share(tracing.clientSampling, "client_sampling", "tracing.client_enabled"),
      random: share(tracing.randomSampling, "random_sampling", "tracing.random_sampling"),
      overall: share(tracing.overallSampling, "overall_sampling", "tracing.global_enabled"),
    },
    customTags: [...decodeCustomTags(tracing.customTags, at(path, "custom_tags"), context).values()],
    maxPathTagLength: pathTagLength,
    spawnsUpstreamSpan: tracing.spawnUpstreamSpan ?? false,
    operation: decodeOperation(tracing.operation, at(path, "operation"), context),
    upstreamOperation: decodeOperation(tracing.upstreamOperation, at(path, "upstream_operation"), context),
    node: services.node,
    decisions: {
      "not-traceable": counter("not_traceable"),
      "random-sampling": counter("random_sampling"),
      "service-forced": counter("service_forced"),
      "client-enabled": counter("client_enabled"),
    },
  };
}

/** @see envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig, the only kind there is */
function decodeRequestId(
  extension: RequestIDExtension | undefined,
): Pick<TracingPlan, "samplesById" | "marksId"> {
  const message = extension?.typedConfig && unpackAny(extension.typedConfig);
  const { packTraceReason, useRequestIdForTraceSampling } = (message ?? {}) as Partial<UuidRequestIdConfig>;
  return { samplesById: useRequestIdForTraceSampling ?? true, marksId: packTraceReason ?? true };
}

/** A percentage with two decimals, as Envoy counts; everything where it is left out. */
function decodeShare(
  percent: Percent | undefined,
  key: SamplingKey,
  path: string,
  context: DecodeContext,
): Share {
  const value = percent?.value ?? 100;
  if (!(value >= 0 && value <= 100)) context.issues.add(path, `${value} is not a percentage`, "0 to 100");
  return withRuntime({ numerator: Math.round(value * 100), denominator: 10_000 }, key, context);
}

type Provider = Pick<TracingPlan, "sink" | "propagation" | "isNamedAfterHost">;

const noProvider: Provider = { sink: { report() {} }, propagation: w3cPropagation, isNamedAfterHost: false };

function decodeProvider({ provider }: TracingMessage, path: string, context: DecodeContext): Provider {
  if (provider?.configType.case !== "typedConfig") {
    context.issues.add(path, "needs `typed_config`", "say where spans are sent");
    return noProvider;
  }
  const place = at(path, "typed_config");
  const message = unpackAny(provider.configType.value);
  switch (message?.$typeName) {
    case undefined:
      return noProvider;
    case "envoy.config.trace.v3.OpenTelemetryConfig":
      return { ...noProvider, sink: decodeOtelTracer(message as OpenTelemetryConfig, place, context) };
    case "envoy.config.trace.v3.ZipkinConfig": {
      const zipkin = message as ZipkinConfig;
      const propagation = b3Propagation({
        sharesSpans: zipkin.sharedSpanContext ?? true,
        hasLongIds: zipkin.traceId128bit,
      });
      return { sink: decodeZipkinTracer(zipkin, place, context), propagation, isNamedAfterHost: true };
    }
    default:
      context.issues.add(place, `${message?.$typeName} is not a tracer`);
      return noProvider;
  }
}
