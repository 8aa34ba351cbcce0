import {
  ZipkinConfig_CollectorEndpointVersion as EndpointVersion,
  type ZipkinConfig,
} from "@weft/xds/gen/envoy/config/trace/v3/zipkin_pb";
import { machineAddress } from "../layer/request-preparation.ts";
import type { SpanSink } from "../tracing/tracing-plan.ts";
import { encodeZipkinSpans } from "../tracing/zipkin-spans.ts";
import type { DecodeContext } from "./decode-context.ts";
import { at } from "./issues.ts";
import { postTo, postToService, type SendBytes, spanSink } from "./span-export.ts";

const contentType = "application/json";
const defaultTimeoutMs = 5_000;

/**
 * Sends spans to a Zipkin collector in batches, as version 2 of its JSON.
 *
 * @see envoy.config.trace.v3.ZipkinConfig
 */
export function decodeZipkinTracer(config: ZipkinConfig, path: string, context: DecodeContext): SpanSink {
  if (config.collectorEndpointVersion !== EndpointVersion.HTTP_JSON) {
    const version = EndpointVersion[config.collectorEndpointVersion];
    context.issues.add(at(path, "collector_endpoint_version"), `${version} is not spoken`, "use HTTP_JSON");
  }
  const { collectorCluster, collectorEndpoint, collectorHostname, collectorService } = config;
  const endpoint = { serviceName: context.services.node.cluster, ipv4: machineAddress() };
  return spanSink(
    {
      name: "zipkin",
      identity: [collectorCluster, collectorEndpoint, collectorHostname, collectorService],
      maxWaiting: undefined,
      encode: (spans) => encodeZipkinSpans(spans, endpoint),
      send: decodeSend(config, path, context),
    },
    context,
  );
}

function decodeSend(config: ZipkinConfig, path: string, context: DecodeContext): SendBytes {
  const { issues, knownClusters, runtime } = context;
  const { collectorCluster: cluster, collectorEndpoint, collectorHostname, collectorService } = config;
  if (collectorService) {
    return postToService(collectorService, contentType, at(path, "collector_service"), context);
  }
  const place = at(path, "collector_cluster");
  if (cluster === "") issues.add(place, "is empty", "name the cluster of the collector");
  else if (knownClusters && !knownClusters.has(cluster)) {
    issues.add(place, `unknown cluster '${cluster}'`, "define it under static_resources.clusters");
  }
  if (!/^\/[\x21-\x7e]*$/.test(collectorEndpoint)) {
    const text = JSON.stringify(collectorEndpoint);
    issues.add(at(path, "collector_endpoint"), `${text} is not a path`, "/api/v2/spans, usually");
  }
  const timeout = runtime.get("tracing.zipkin.request_timeout");
  const timeoutMs = typeof timeout === "number" && timeout >= 1 ? timeout : defaultTimeoutMs;
  const authority = collectorHostname || cluster;
  const target = { cluster, scheme: "http", authority, path: collectorEndpoint, timeoutMs } as const;
  return postTo(target, contentType, [], context);
}
