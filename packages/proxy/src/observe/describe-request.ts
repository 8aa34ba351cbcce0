import type { ObservedParty, ObservedRequest } from "@weft/xds/observed-request";
import type { PeerMetadata } from "../layer/downstream-connection.ts";
import { formatResponseFlags } from "../layer/response-flag.ts";
import { formatAddress } from "../net/socket-address.ts";
import type { PeerIdentity } from "../net/tls-plan.ts";
import { parseEndpointWorkload } from "../telemetry/peer-metadata.ts";
import { shownFields, shownPath } from "./hide-secrets.ts";
import type { RequestFacts } from "./request-facts.ts";

/** Longer values than these are cut: names and addresses are shorter. */
const maxText = 512;

/** Says what a request was, without what is secret. `local` is who this proxy is for. */
export function describeRequest(
  facts: RequestFacts,
  local: PeerMetadata,
  withHeaders = false,
): ObservedRequest {
  const { connection, endpoint, requestHeaders, responseHeaders, responseTrailers, route } = facts;
  const isOutbound = facts.direction === "outbound";
  const workload = endpoint?.metadata.get("istio")?.get("workload");
  const other = isOutbound
    ? party(workload === undefined ? undefined : parseEndpointWorkload(workload), facts.upstreamPeer)
    : party(connection.peerMetadata, connection.peer);
  const own = party(local, undefined);
  const isGrpc = requestHeaders?.get("content-type")?.startsWith("application/grpc") === true;
  const grpcStatus = responseTrailers?.get("grpc-status") ?? responseHeaders?.get("grpc-status") ?? "";
  const istio = route?.metadata?.istio as { config?: unknown } | undefined;
  return {
    id: facts.id,
    direction: facts.direction,
    startedMs: facts.startedMs,
    durationMs: facts.durationMs,
    responseMs: facts.responseMs,
    upstreamMs: facts.upstreamMs,
    requestId: cut(facts.requestId),
    method: cut(facts.method),
    authority: cut(facts.authority),
    path: shownPath(facts.path),
    protocol: facts.protocol,
    ...(withHeaders && requestHeaders && { headers: shownFields(requestHeaders.flat) }),
    userAgent: cut(requestHeaders?.get("user-agent") ?? ""),
    forwardedFor: cut(requestHeaders?.get("x-forwarded-for") ?? ""),
    downstreamRemote: facts.clientAddress ? formatAddress(facts.clientAddress) : connection.remoteText,
    downstreamLocal: connection.localText,
    serverName: cut(connection.requestedServerName),
    upstreamHost: facts.upstreamHost,
    upstreamLocal: facts.upstreamLocal ? formatAddress(facts.upstreamLocal) : "",
    upstreamFailure: cut(facts.upstreamFailure),
    attempts: facts.attempts,
    source: isOutbound ? own : other,
    destination: isOutbound ? other : own,
    isMutualTls: (isOutbound ? facts.upstreamPeer : connection.peer) !== undefined,
    status: facts.status,
    grpcStatus: isGrpc && /^(\d|1[0-6])$/.test(grpcStatus) ? grpcStatus : "",
    flags: facts.flags === 0 ? "" : formatResponseFlags(facts.flags, facts.method === ""),
    details: cut(facts.details || connection.terminationDetails),
    isLocalReply: facts.isLocalReply,
    bytesReceived: facts.bytesReceived,
    bytesSent: facts.bytesSent,
    route: route?.name ?? "",
    routeOrigin: route?.origin ?? "",
    routeConfig: typeof istio?.config === "string" ? istio.config : "",
    cluster: facts.cluster,
    decidedOrigin: facts.decision?.origin ?? "",
    decidedBy: cut(facts.decision?.by ?? ""),
  };
}

function party(metadata: PeerMetadata | undefined, identity: PeerIdentity | undefined): ObservedParty {
  return {
    workload: metadata?.workload ? cut(`${metadata.workload}.${metadata.namespace}`) : "",
    version: cut(metadata?.version ?? ""),
    identity: cut(identity?.uris[0] ?? ""),
  };
}

function cut(text: string): string {
  return text.length > maxText ? `${text.slice(0, maxText)}…` : text;
}
