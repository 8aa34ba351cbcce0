import type { Any } from "@bufbuild/protobuf/wkt";
import { HttpProtocolOptionsSchema } from "@weft/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb";
import type { PortPolicy } from "../model/traffic-policy.ts";
import { duration, pack } from "./messages.ts";

/** `negotiated` leaves it to each endpoint: HTTP/2 where ALPN agrees on it. */
export type HttpVersion = "http1" | "http2" | "negotiated";

/** Lets upgrades, such as WebSocket's, travel over HTTP/2 (RFC 8441). */
const http2WithUpgrades = { allowConnect: true };

/** The HTTP version a cluster speaks, and how long and how often its connections are used. */
export function httpProtocolOptions(
  version: HttpVersion,
  policy?: Pick<PortPolicy, "connectionPool">,
): Record<string, Any> {
  const pool = policy?.connectionPool;
  const common = {
    ...(pool?.idleTimeoutMs === undefined ? {} : { idleTimeout: duration(pool.idleTimeoutMs) }),
    ...(pool?.maxRequestsPerConnection ? { maxRequestsPerConnection: pool.maxRequestsPerConnection } : {}),
  };
  return {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": pack(HttpProtocolOptionsSchema, {
      ...(Object.keys(common).length > 0 ? { commonHttpProtocolOptions: common } : {}),
      upstreamProtocolOptions: upstreamOptions(version),
    }),
  };
}

function upstreamOptions(version: HttpVersion) {
  switch (version) {
    case "http1": {
      const protocolConfig = { case: "httpProtocolOptions" as const, value: {} };
      return { case: "explicitHttpConfig" as const, value: { protocolConfig } };
    }
    case "http2": {
      const protocolConfig = { case: "http2ProtocolOptions" as const, value: {} };
      return { case: "explicitHttpConfig" as const, value: { protocolConfig } };
    }
    case "negotiated":
      return {
        case: "autoConfig" as const,
        value: { httpProtocolOptions: {}, http2ProtocolOptions: http2WithUpgrades },
      };
  }
}
