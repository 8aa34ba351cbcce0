import type { ObservedRequest } from "@weft/xds/observed-request";
import { printable } from "./printable.ts";

/**
 * A request in Istio's text format of access logs, as a sidecar would have
 * written it: what reads those reads this.
 */
export function formatLogLine(request: ObservedRequest): string {
  const { method, path, protocol, responseMs, durationMs, upstreamMs } = request;
  const words = [
    `[${new Date(request.startedMs).toISOString()}]`,
    method === "" ? '"- - -"' : `"${method} ${path} ${protocol}"`,
    request.status,
    request.flags || "-",
    request.details.replace(/\s/g, "_") || "-",
    "-",
    `"${request.upstreamFailure.replace(/\s/g, "_") || "-"}"`,
    request.bytesReceived,
    request.bytesSent,
    Math.floor(durationMs),
    upstreamMs > 0 ? Math.floor(Math.min(upstreamMs, responseMs || upstreamMs)) : "-",
    `"${request.forwardedFor || "-"}"`,
    `"${request.userAgent || "-"}"`,
    `"${request.requestId || "-"}"`,
    `"${request.authority || "-"}"`,
    `"${request.upstreamHost || "-"}"`,
    request.cluster || "-",
    request.upstreamLocal || "-",
    request.downstreamLocal || "-",
    request.downstreamRemote || "-",
    request.serverName || "-",
    request.route || "-",
  ];
  return printable(words.join(" "));
}
