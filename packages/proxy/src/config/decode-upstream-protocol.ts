import type { Cluster } from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import type { Http1ProtocolOptions } from "@weft/xds/gen/envoy/config/core/v3/protocol_pb";
import type { HttpProtocolOptions } from "@weft/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb";
import type { ClusterPlan } from "../cluster/cluster-plan.ts";
import type { Http2Plan } from "../http2/http2-plan.ts";
import { decodeErrorMatcher } from "./decode-error-matcher.ts";
import { decodeHttp2 } from "./decode-http2.ts";
import { timeoutMs } from "./decode-values.ts";
import { unpackAny } from "./extension-registry.ts";
import { at, atKey, type Issues } from "./issues.ts";

const protocolOptionsKey = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const defaultIdleTimeoutMs = 3_600_000;

const protocolOf = {
  explicitHttpConfig: "http1",
  useDownstreamProtocolConfig: "downstream",
  autoConfig: "negotiated",
} as const;

export interface ProtocolChoice {
  readonly http2: Http2Plan;
  readonly protocol: ClusterPlan["protocol"];
  readonly isErrorAnswer: ClusterPlan["isErrorAnswer"];
  readonly tunnelsByHttp2: boolean;
  readonly keepsTrailers: boolean;
  readonly properCaseHeaders: boolean;
  readonly maxRequestsPerConnection: number;
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
  readonly maxResponseHeaders: number | undefined;
}

/** Decodes what a cluster speaks, from either place that says so. */
export function decodeProtocol(cluster: Cluster, path: string, issues: Issues): ProtocolChoice {
  const place = at(path, "typed_extension_protocol_options");
  let options: HttpProtocolOptions | undefined;
  for (const [name, any] of Object.entries(cluster.typedExtensionProtocolOptions)) {
    const message = unpackAny(any);
    if (name === protocolOptionsKey && message?.$typeName === protocolOptionsKey)
      options = message as HttpProtocolOptions;
    else issues.add(atKey(place, name), "is not implemented by this proxy", `only ${protocolOptionsKey} is`);
  }
  const upstream = options?.upstreamProtocolOptions;
  const common = options?.commonHttpProtocolOptions;
  if (options && !upstream?.case) {
    issues.add(
      atKey(place, protocolOptionsKey),
      "needs `explicit_http_config`, `use_downstream_protocol_config` or `auto_config`",
    );
  }
  const explicit = upstream?.case === "explicitHttpConfig" ? upstream.value.protocolConfig.case : undefined;
  if (upstream?.case === "explicitHttpConfig" && !explicit) {
    issues.add(
      at(atKey(place, protocolOptionsKey), "explicit_http_config"),
      "needs `http_protocol_options` or `http2_protocol_options`",
    );
  }
  const isHttp2 = explicit === "http2ProtocolOptions" || cluster.http2ProtocolOptions !== undefined;
  const http1 =
    upstream?.case === "explicitHttpConfig" && upstream.value.protocolConfig.case === "httpProtocolOptions"
      ? upstream.value.protocolConfig.value
      : upstream?.case === "useDownstreamProtocolConfig" || upstream?.case === "autoConfig"
        ? upstream.value.httpProtocolOptions
        : undefined;
  refuseDownstreamOnly(common, http1, atKey(place, protocolOptionsKey), issues);
  const http2 =
    (upstream?.case === "explicitHttpConfig" && upstream.value.protocolConfig.case === "http2ProtocolOptions"
      ? upstream.value.protocolConfig.value
      : upstream?.case === "useDownstreamProtocolConfig" || upstream?.case === "autoConfig"
        ? upstream.value.http2ProtocolOptions
        : undefined) ?? cluster.http2ProtocolOptions;
  const judge = options?.outlierDetection?.errorMatcher;
  const judged = at(atKey(place, protocolOptionsKey), "outlier_detection.error_matcher");
  return {
    isErrorAnswer: judge && decodeErrorMatcher(judge, judged, issues),
    tunnelsByHttp2:
      upstream?.case === "useDownstreamProtocolConfig" && upstream.value.http2ProtocolOptions !== undefined,
    keepsTrailers: http1?.enableTrailers ?? false,
    properCaseHeaders: http1?.headerKeyFormat?.headerFormat.case === "properCaseWords",
    http2: decodeHttp2(http2, at(path, "http2_protocol_options"), issues),
    protocol: isHttp2 ? "http2" : protocolOf[upstream?.case ?? "explicitHttpConfig"],
    maxRequestsPerConnection: common?.maxRequestsPerConnection ?? cluster.maxRequestsPerConnection ?? 0,
    maxConnectionDurationMs: timeoutMs(
      common?.maxConnectionDuration,
      0,
      at(atKey(place, protocolOptionsKey), "common_http_protocol_options.max_connection_duration"),
      issues,
    ),
    maxResponseHeaders: common?.maxHeadersCount,
    idleTimeoutMs: timeoutMs(
      common?.idleTimeout,
      defaultIdleTimeoutMs,
      at(atKey(place, protocolOptionsKey), "common_http_protocol_options.idle_timeout"),
      issues,
    ),
  };
}

/** Settings the two directions share a message for, of which an upstream connection has no use here. */
function refuseDownstreamOnly(
  common: HttpProtocolOptions["commonHttpProtocolOptions"],
  http1: Http1ProtocolOptions | undefined,
  path: string,
  issues: Issues,
): void {
  const refuse = (field: string) =>
    issues.add(at(path, field), "is not implemented for clusters by this proxy", "remove it");
  if (common?.maxStreamDuration) refuse("common_http_protocol_options.max_stream_duration");
  if (common?.headersWithUnderscoresAction)
    refuse("common_http_protocol_options.headers_with_underscores_action");
  if (http1?.defaultHostForHttp10) refuse("http_protocol_options.default_host_for_http_10");
}
