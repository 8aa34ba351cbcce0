import type { Any } from "@bufbuild/protobuf/wkt";
import { HttpProtocolOptionsSchema } from "@weft/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb";
import type { ConnectionPool, PortPolicy } from "../model/traffic-policy.ts";
import { duration, pack } from "./messages.ts";

/** `negotiated` leaves it to each endpoint: HTTP/2 where ALPN agrees on it; `as-client` to who sent the request. */
export type HttpVersion = "http1" | "http2" | "negotiated" | "as-client";

/** Lets upgrades, such as WebSocket's, travel over HTTP/2 (RFC 8441). */
const http2WithUpgrades = { allowConnect: true };

/** The HTTP version a cluster speaks,, how long and how often its connections are used, and which answers are errors. */
export function httpProtocolOptions(
  version: HttpVersion,
  policy?: Partial<Pick<PortPolicy, "connectionPool" | "outlier">>,
): Record<string, Any> {
  const pool = policy?.connectionPool;
  const common = {
    ...(pool?.idleTimeoutMs === undefined ? {} : { idleTimeout: duration(pool.idleTimeoutMs) }),
    ...(pool?.maxRequestsPerConnection ? { maxRequestsPerConnection: pool.maxRequestsPerConnection } : {}),
    ...(pool?.maxConnectionDurationMs === undefined
      ? {}
      : { maxConnectionDuration: duration(pool.maxConnectionDurationMs) }),
  };
  return {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": pack(HttpProtocolOptionsSchema, {
      ...(Object.keys(common).length > 0 ? { commonHttpProtocolOptions: common } : {}),
      upstreamProtocolOptions: upstreamOptions(version, http2Limits(pool)),
      ...(policy?.outlier?.errorCodes ? { outlierDetection: errorsOf(policy.outlier.errorCodes) } : {}),
    }),
  };
}

/** Answers with one of these statuses. */
function errorsOf(codes: readonly number[]) {
  const rules = codes.map((code) => ({
    rule: {
      case: "httpResponseHeadersMatch" as const,
      value: {
        headers: [
          {
            name: ":status",
            headerMatchSpecifier: {
              case: "stringMatch" as const,
              value: { matchPattern: { case: "exact" as const, value: `${code}` } },
            },
          },
        ],
      },
    },
  }));
  return {
    errorMatcher: rules.length === 1 ? rules[0]! : { rule: { case: "orMatch" as const, value: { rules } } },
  };
}

function http2Limits(pool: ConnectionPool | undefined) {
  const { http2KeepAlive, maxConcurrentStreams } = pool ?? {};
  return {
    ...(maxConcurrentStreams === undefined ? {} : { maxConcurrentStreams }),
    ...(http2KeepAlive
      ? {
          connectionKeepalive: {
            interval: duration(http2KeepAlive.intervalMs),
            timeout: duration(http2KeepAlive.timeoutMs),
          },
        }
      : {}),
  };
}

function upstreamOptions(version: HttpVersion, limits: ReturnType<typeof http2Limits>) {
  switch (version) {
    case "http1": {
      const protocolConfig = { case: "httpProtocolOptions" as const, value: {} };
      return { case: "explicitHttpConfig" as const, value: { protocolConfig } };
    }
    case "http2": {
      const protocolConfig = { case: "http2ProtocolOptions" as const, value: limits };
      return { case: "explicitHttpConfig" as const, value: { protocolConfig } };
    }
    case "negotiated":
      return { case: "autoConfig" as const, value: eitherVersion(limits) };
    case "as-client":
      return { case: "useDownstreamProtocolConfig" as const, value: eitherVersion(limits) };
  }
}

function eitherVersion(limits: ReturnType<typeof http2Limits>) {
  return { httpProtocolOptions: {}, http2ProtocolOptions: { ...http2WithUpgrades, ...limits } };
}
