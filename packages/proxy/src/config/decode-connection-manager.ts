import {
  HttpConnectionManager_CodecType as CodecType,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  HttpConnectionManager_ForwardClientCertDetails as ForwardCert,
  type HttpConnectionManager,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
} from "@weft/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import type { HttpConnectionPlan } from "../listener/listener-plan.ts";
import { decodeConfigSource } from "./config-source.ts";
import { decodeAccessLogs } from "./decode-access-log.ts";
import type { DecodeContext, Direction, RouteHolder } from "./decode-context.ts";
import { decodeHttpFilters } from "./decode-http-filters.ts";
import { decodeHttp2 } from "./decode-http2.ts";
import { decodeLocalReplies } from "./decode-local-reply.ts";
import { decodeProtocolOptions } from "./decode-protocol-options.ts";
import { decodeRouteConfiguration } from "./decode-route.ts";
import { decodeTracing } from "./decode-tracing.ts";
import { decodeUpgrades } from "./decode-upgrades.ts";
import { timeoutMs } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";
import { sourcedKey } from "./sourced-name.ts";

const serverHeaders: Readonly<Record<ServerHeader, HttpConnectionPlan["serverHeaderTransformation"]>> = {
  [ServerHeader.OVERWRITE]: "overwrite",
  [ServerHeader.APPEND_IF_ABSENT]: "append-if-absent",
  [ServerHeader.PASS_THROUGH]: "pass-through",
};

const forwardCerts: Readonly<Record<ForwardCert, HttpConnectionPlan["forwardClientCert"]>> = {
  [ForwardCert.SANITIZE]: "sanitize",
  [ForwardCert.FORWARD_ONLY]: "forward-only",
  [ForwardCert.APPEND_FORWARD]: "append-forward",
  [ForwardCert.SANITIZE_SET]: "sanitize-set",
  [ForwardCert.ALWAYS_FORWARD_ONLY]: "always-forward-only",
};

const escapedSlashes: Readonly<Record<EscapedSlashes, HttpConnectionPlan["escapedSlashes"]>> = {
  [EscapedSlashes.IMPLEMENTATION_SPECIFIC_DEFAULT]: "keep",
  [EscapedSlashes.KEEP_UNCHANGED]: "keep",
  [EscapedSlashes.REJECT_REQUEST]: "reject",
  [EscapedSlashes.UNESCAPE_AND_REDIRECT]: "redirect",
  [EscapedSlashes.UNESCAPE_AND_FORWARD]: "forward",
};

/** Decodes an HTTP connection manager with Envoy's defaults, except that paths are normalised unless told not to. */
export function decodeConnectionManager(
  hcm: HttpConnectionManager,
  direction: Direction,
  path: string,
  context: DecodeContext,
): HttpConnectionPlan {
  const { issues } = context;
  if (hcm.statPrefix === "")
    issues.add(at(path, "stat_prefix"), "is empty", "name the statistics of this listener");
  const details = hcm.setCurrentClientCertDetails;
  const time = (value: Parameters<typeof timeoutMs>[0], fallback: number, place: string) =>
    timeoutMs(value, fallback, place, issues);
  return {
    kind: "http",
    statPrefix: hcm.statPrefix,
    codec: decodeCodec(hcm.codecType, at(path, "codec_type"), issues),
    http2: decodeHttp2(
      hcm.http2ProtocolOptions,
      at(path, "http2_protocol_options"),
      issues,
      hcm.streamErrorOnInvalidHttpMessage,
    ),
    ...decodeProtocolOptions(hcm, path, issues),
    routes: decodeRoutes(hcm, path, context),
    filters: decodeHttpFilters(
      hcm.httpFilters,
      { statPrefix: hcm.statPrefix, direction },
      at(path, "http_filters"),
      context,
    ),
    localReplies: decodeLocalReplies(hcm.localReplyConfig, at(path, "local_reply_config"), context),
    accessLogs: decodeAccessLogs(hcm.accessLog, at(path, "access_log"), context),
    tracing:
      hcm.tracing &&
      decodeTracing(hcm.tracing, hcm.statPrefix, hcm.requestIdExtension, at(path, "tracing"), context),
    requestTimeoutMs: time(hcm.requestTimeout, 0, at(path, "request_timeout")),
    requestHeadersTimeoutMs: time(hcm.requestHeadersTimeout, 0, at(path, "request_headers_timeout")),
    streamIdleTimeoutMs: time(hcm.streamIdleTimeout, 300_000, at(path, "stream_idle_timeout")),
    drainTimeoutMs: time(hcm.drainTimeout, 5_000, at(path, "drain_timeout")),
    maxRequestHeadersBytes: decodeMaxHeaderBytes(
      hcm.maxRequestHeadersKb,
      at(path, "max_request_headers_kb"),
      issues,
    ),
    serverName: hcm.serverName || "envoy",
    serverHeaderTransformation: serverHeaders[hcm.serverHeaderTransformation],
    generateRequestId: hcm.generateRequestId ?? true,
    preserveExternalRequestId: hcm.preserveExternalRequestId,
    tellsRequestId: hcm.alwaysSetRequestIdInResponse,
    useRemoteAddress: hcm.useRemoteAddress ?? false,
    xffNumTrustedHops: hcm.xffNumTrustedHops,
    skipXffAppend: hcm.skipXffAppend,
    appendsForwardedPort: hcm.appendXForwardedPort,
    via: hcm.via,
    forwardClientCert: forwardCerts[hcm.forwardClientCertDetails],
    setClientCertDetails: {
      subject: details?.subject ?? false,
      cert: details?.cert ?? false,
      chain: details?.chain ?? false,
      dns: details?.dns ?? false,
      uri: details?.uri ?? false,
    },
    normalizePath: hcm.normalizePath ?? true,
    mergeSlashes: hcm.mergeSlashes,
    escapedSlashes: escapedSlashes[hcm.pathWithEscapedSlashesAction],
    stripPort:
      hcm.stripPortMode.case === "stripAnyHostPort" && hcm.stripPortMode.value
        ? "any"
        : hcm.stripMatchingHostPort
          ? "matching"
          : "none",
    stripsHostDot: hcm.stripTrailingHostDot,
    upgrades: decodeUpgrades(hcm.upgradeConfigs, at(path, "upgrade_configs"), issues),
  };
}

function decodeCodec(type: CodecType, path: string, issues: Issues): HttpConnectionPlan["codec"] {
  if (type === CodecType.HTTP1) return "http1";
  if (type === CodecType.HTTP2) return "http2";
  if (type !== CodecType.AUTO) {
    issues.add(path, `${CodecType[type]} is not spoken downstream by this proxy`, "use AUTO, HTTP1 or HTTP2");
  }
  return "auto";
}

function decodeMaxHeaderBytes(kilobytes: number | undefined, path: string, issues: Issues): number {
  if (kilobytes !== undefined && (kilobytes < 1 || kilobytes > 8192)) {
    issues.add(path, `${kilobytes} is out of range`, "1 to 8192");
  }
  return (kilobytes ?? 60) * 1024;
}

function decodeRoutes(hcm: HttpConnectionManager, path: string, context: DecodeContext): RouteHolder {
  const specifier = hcm.routeSpecifier;
  switch (specifier.case) {
    case "routeConfig":
      if (specifier.value.vhds) {
        const hint = "give the route configuration by `rds`";
        context.issues.add(at(path, "route_config.vhds"), "works for a named route configuration only", hint);
      }
      return { current: decodeRouteConfiguration(specifier.value, at(path, "route_config"), context) };
    case "rds": {
      const { routeConfigName, configSource } = specifier.value;
      const chosen = decodeConfigSource(configSource, at(path, "rds.config_source"), context);
      if (routeConfigName === "") {
        context.issues.add(at(path, "rds.route_config_name"), "is empty", "name the route configuration");
      }
      const key = sourcedKey({ source: chosen?.source ?? "ads", name: routeConfigName });
      context.needs.routes.add(key);
      if (chosen) context.needs.fetchTimeoutsMs.add(chosen.fetchTimeoutMs);
      return context.routeHolder(key);
    }
    default:
      context.issues.add(path, "needs `route_config` or `rds`");
      return { current: undefined };
  }
}
