import { HttpProtocolOptions_HeadersWithUnderscoresAction as Underscores } from "@weft/xds/gen/envoy/config/core/v3/protocol_pb";
import type { HttpConnectionManager } from "@weft/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import type { HttpConnectionPlan } from "../listener/listener-plan.ts";
import { timeoutMs } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";

const hourMs = 3_600_000;

const underscores: Readonly<Record<Underscores, HttpConnectionPlan["underscores"]>> = {
  [Underscores.ALLOW]: "allow",
  [Underscores.REJECT_REQUEST]: "reject",
  [Underscores.DROP_HEADER]: "drop",
};

type ProtocolOptions = Pick<
  HttpConnectionPlan,
  | "idleTimeoutMs"
  | "maxConnectionDurationMs"
  | "keepsIdleAtMaxDuration"
  | "maxStreamDurationMs"
  | "delayedCloseMs"
  | "streamFlushTimeoutMs"
  | "maxHeadersCount"
  | "maxRequestsPerConnection"
  | "underscores"
  | "acceptHttp10"
  | "allowsAbsoluteTargets"
  | "defaultHttp10Host"
  | "keepsTrailers"
  | "properCaseHeaders"
  | "proxies100"
>;

/** Decodes how the connections of a connection manager live and how HTTP/1 is spoken on them. */
export function decodeProtocolOptions(
  hcm: HttpConnectionManager,
  path: string,
  issues: Issues,
): ProtocolOptions {
  const common = hcm.commonHttpProtocolOptions;
  const commonPath = at(path, "common_http_protocol_options");
  const http1 = hcm.httpProtocolOptions;
  const time = (value: Parameters<typeof timeoutMs>[0], fallback: number, place: string) =>
    timeoutMs(value, fallback, place, issues);
  return {
    idleTimeoutMs: time(common?.idleTimeout, hourMs, at(commonPath, "idle_timeout")),
    maxConnectionDurationMs: time(
      common?.maxConnectionDuration,
      0,
      at(commonPath, "max_connection_duration"),
    ),
    keepsIdleAtMaxDuration: hcm.http1SafeMaxConnectionDuration,
    maxStreamDurationMs: time(common?.maxStreamDuration, 0, at(commonPath, "max_stream_duration")),
    delayedCloseMs: time(hcm.delayedCloseTimeout, 1_000, at(path, "delayed_close_timeout")),
    streamFlushTimeoutMs: time(
      hcm.streamFlushTimeout ?? hcm.streamIdleTimeout,
      300_000,
      at(path, "stream_flush_timeout"),
    ),
    maxHeadersCount: common?.maxHeadersCount ?? 100,
    maxRequestsPerConnection: common?.maxRequestsPerConnection ?? 0,
    underscores: underscores[common?.headersWithUnderscoresAction ?? Underscores.ALLOW],
    acceptHttp10: http1?.acceptHttp10 ?? false,
    allowsAbsoluteTargets: http1?.allowAbsoluteUrl ?? true,
    defaultHttp10Host: http1?.defaultHostForHttp10 ?? "",
    keepsTrailers: http1?.enableTrailers ?? false,
    properCaseHeaders: http1?.headerKeyFormat?.headerFormat.case === "properCaseWords",
    proxies100: hcm.proxy100Continue,
  };
}
