import type { ObservedEvent, ObservedParty } from "@weft/xds/observed-request";
import { printable } from "./printable.ts";

/**
 * One event in Linkerd's line format: `req`, `rsp` and `end` of a request have
 * the same id. `proxy` tells the data planes apart; wide lines also name the
 * workloads, the route and what decided.
 */
export function formatTap({ phase, request }: ObservedEvent, proxy: number, isWide: boolean): string {
  const { direction, id, downstreamRemote, upstreamHost, downstreamLocal, isMutualTls } = request;
  const isOutbound = direction === "outbound";
  const line = [
    `${phase} id=${proxy}:${id}`,
    `proxy=${isOutbound ? "out" : "in "}`,
    `src=${downstreamRemote}`,
    `dst=${(isOutbound ? upstreamHost : downstreamLocal) || "-"}`,
    `tls=${isMutualTls}`,
  ];
  if (phase === "req") {
    line.push(`:method=${request.method}`, `:authority=${request.authority}`, `:path=${request.path}`);
  } else if (phase === "rsp") {
    line.push(`:status=${request.status}`, `latency=${microseconds(request.responseMs)}`);
  } else {
    const status = request.grpcStatus === "" ? "" : `grpc-status=${request.grpcStatus} `;
    line.push(`${status}duration=${microseconds(request.durationMs - request.responseMs)}`);
    line.push(`response-length=${request.bytesSent}B`);
  }
  if (!isWide) return printable(line.join(" "));
  const {
    source,
    destination,
    route,
    routeOrigin,
    cluster,
    flags,
    details,
    decidedBy,
    decidedOrigin,
    requestId,
  } = request;
  const more = {
    src_workload: source?.workload,
    src_identity: identityOf(source),
    dst_workload: destination?.workload,
    dst_identity: identityOf(destination),
    cluster,
    route,
    origin: routeOrigin,
    request_id: phase === "req" ? requestId : "",
    flags: phase === "req" ? "" : flags,
    details: phase === "req" ? "" : details,
    decided_by: decidedBy,
    decided_at: decidedOrigin,
  };
  for (const [name, value] of Object.entries(more)) if (value) line.push(`${name}=${quoted(value)}`);
  return printable(line.join(" "));
}

function identityOf(party: ObservedParty | undefined): string | undefined {
  return party?.identity;
}

function quoted(value: string): string {
  return value.includes(" ") ? JSON.stringify(value) : value;
}

function microseconds(ms: number): string {
  return `${Math.max(0, Math.round(ms * 1000))}µs`;
}
