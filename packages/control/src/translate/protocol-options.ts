import type { Any } from "@bufbuild/protobuf/wkt";
import { HttpProtocolOptionsSchema } from "@weft/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb";
import type { Protocol } from "../model/mesh.ts";
import type { PortPolicy } from "../model/traffic-policy.ts";
import { duration, pack } from "./messages.ts";

/** The HTTP version a cluster speaks, and how long and how often its connections are used. */
export function httpProtocolOptions(
  protocol: Protocol,
  policy?: Pick<PortPolicy, "connectionPool">,
): Record<string, Any> {
  const pool = policy?.connectionPool;
  const common = {
    ...(pool?.idleTimeoutMs === undefined ? {} : { idleTimeout: duration(pool.idleTimeoutMs) }),
    ...(pool?.maxRequestsPerConnection ? { maxRequestsPerConnection: pool.maxRequestsPerConnection } : {}),
  };
  const protocolConfig =
    protocol === "http"
      ? { case: "httpProtocolOptions" as const, value: {} }
      : { case: "http2ProtocolOptions" as const, value: {} };
  return {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": pack(HttpProtocolOptionsSchema, {
      ...(Object.keys(common).length > 0 ? { commonHttpProtocolOptions: common } : {}),
      upstreamProtocolOptions: { case: "explicitHttpConfig", value: { protocolConfig } },
    }),
  };
}
