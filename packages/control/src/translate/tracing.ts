import type { MessageInitShape } from "@bufbuild/protobuf";
import type { HeaderValueOptionSchema } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import { OpenTelemetryConfigSchema } from "@weft/xds/gen/envoy/config/trace/v3/opentelemetry_pb";
import {
  ZipkinConfig_CollectorEndpointVersion as EndpointVersion,
  ZipkinConfigSchema,
} from "@weft/xds/gen/envoy/config/trace/v3/zipkin_pb";
import type {
  HttpConnectionManager,
  HttpConnectionManagerSchema,
} from "@weft/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import { UuidRequestIdConfigSchema } from "@weft/xds/gen/envoy/extensions/request_id/uuid/v3/uuid_pb";
import { EnvironmentResourceDetectorConfigSchema } from "@weft/xds/gen/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/environment_resource_detector_pb";
import type { CustomTagSchema } from "@weft/xds/gen/envoy/type/tracing/v3/custom_tag_pb";
import { sidecarEnvironment } from "@weft/xds/sidecar-environment";
import type { TraceProvider, TraceTag, TracingRule } from "../model/signals.ts";
import { grpcService } from "./access-log.ts";
import { duration, pack } from "./messages.ts";
import { outboundClusterName } from "./names.ts";

type ManagerFields = Exclude<MessageInitShape<typeof HttpConnectionManagerSchema>, HttpConnectionManager>;
type CustomTag = MessageInitShape<typeof CustomTagSchema>;
type HeaderField = { readonly name: string; readonly value: string };

/** Fields of a connection manager that traces what it sees; a gateway is a hop of its own. */
export function tracingFields(rule: TracingRule | undefined, isGateway: boolean): ManagerFields {
  if (!rule) return {};
  const { provider, samplingPercent, tags, hasIstioTags, samplesByRequestId } = rule;
  const idConfig = pack(UuidRequestIdConfigSchema, { useRequestIdForTraceSampling: false });
  return {
    tracing: {
      clientSampling: { value: 100 },
      randomSampling: { value: samplingPercent },
      overallSampling: { value: 100 },
      customTags: [...(hasIstioTags ? istioTags : []), ...tags.map(customTag)],
      ...(isGateway ? { spawnUpstreamSpan: true } : {}),
      ...(provider.maxTagLength > 0 ? { maxPathTagLength: provider.maxTagLength } : {}),
      provider: providerOf(provider),
    },
    ...(samplesByRequestId ? {} : { requestIdExtension: { typedConfig: idConfig } }),
  };
}

/** What the agent puts into its data plane's environment, so that listeners are the same for all. */
const istioTags: readonly CustomTag[] = [
  environmentTag("istio.canonical_revision", sidecarEnvironment.canonicalRevision, "latest"),
  environmentTag("istio.canonical_service", sidecarEnvironment.canonicalService, "unknown"),
  environmentTag("istio.cluster_id", sidecarEnvironment.clusterId, "unknown"),
  environmentTag("istio.mesh_id", sidecarEnvironment.meshId, "unknown"),
  environmentTag("istio.namespace", sidecarEnvironment.namespace, "default"),
];

function environmentTag(tag: string, name: string, defaultValue: string): CustomTag {
  return { tag, type: { case: "environment", value: { name, defaultValue } } };
}

function customTag(tag: TraceTag): CustomTag {
  switch (tag.kind) {
    case "literal":
      return { tag: tag.name, type: { case: "literal", value: { value: tag.value } } };
    case "formatter":
      return { tag: tag.name, type: { case: "value", value: tag.value } };
    case "environment":
      return environmentTag(tag.name, tag.variable, tag.otherwise);
    case "header": {
      const value = { name: tag.variable, defaultValue: tag.otherwise };
      return { tag: tag.name, type: { case: "requestHeader", value } };
    }
  }
}

function providerOf(provider: TraceProvider) {
  const { host, port, headers } = provider;
  const collector = (path: string, timeoutMs: number) => ({
    httpUri: {
      uri: `http://${host}${path}`,
      httpUpstreamType: { case: "cluster" as const, value: outboundClusterName(port, "", host) },
      timeout: duration(timeoutMs),
    },
    requestHeadersToAdd: headers.map(headerOption),
  });
  if (provider.kind === "zipkin") {
    const config = pack(ZipkinConfigSchema, {
      collectorEndpointVersion: EndpointVersion.HTTP_JSON,
      traceId128bit: provider.hasLongIds,
      sharedSpanContext: false,
      collectorService: collector(provider.path, provider.timeoutMs),
    });
    return typed("envoy.tracers.zipkin", config);
  }
  const { http, timeoutMs } = provider;
  const config = pack(OpenTelemetryConfigSchema, {
    ...(http
      ? { httpService: collector(http.path, timeoutMs!) }
      : {
          grpcService: {
            ...grpcService(provider),
            ...(timeoutMs === undefined ? {} : { timeout: duration(timeoutMs) }),
            initialMetadata: headers.map(({ name, value }) => ({ key: name.toLowerCase(), value })),
          },
        }),
    resourceDetectors: [
      {
        name: "envoy.tracers.opentelemetry.resource_detectors.environment",
        typedConfig: pack(EnvironmentResourceDetectorConfigSchema, {}),
      },
    ],
  });
  return typed("envoy.tracers.opentelemetry", config);
}

function typed(name: string, value: ReturnType<typeof pack>) {
  return { name, configType: { case: "typedConfig" as const, value } };
}

function headerOption({ name, value }: HeaderField): MessageInitShape<typeof HeaderValueOptionSchema> {
  return { header: { key: name, value } };
}
