import type { EndpointPlan } from "../cluster/cluster-plan.ts";
import type { DownstreamConnection } from "../layer/downstream-connection.ts";
import type { Exchange } from "../layer/exchange.ts";
import { ExchangeRecord } from "../layer/exchange-record.ts";
import type { HeaderList } from "../layer/header-list.ts";
import type { PeerIdentity } from "../net/tls-plan.ts";
import type { RoutePlan } from "../route/route-plan.ts";
import type { Observable } from "./observation.ts";
import { decisionOf, type ReplyDecision } from "./reply-decision.ts";

/**
 * What is kept of a request to say later what it was: references to what there
 * is anyway, none to a socket, a stream or a body.
 */
export interface RequestFacts {
  readonly id: string;
  readonly connection: DownstreamConnection;
  readonly direction: Exchange["direction"];
  readonly startedMs: number;
  readonly durationMs: number;
  readonly responseMs: number;
  readonly upstreamMs: number;
  readonly requestId: string;
  /** "" for a connection without requests. */
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly protocol: string;
  /** As they left; undefined where they are too long to keep. */
  readonly requestHeaders: HeaderList | undefined;
  readonly responseHeaders: HeaderList | undefined;
  readonly responseTrailers: HeaderList | undefined;
  readonly status: number;
  readonly flags: number;
  readonly details: string;
  readonly isLocalReply: boolean;
  readonly attempts: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly clientAddress: Exchange["clientAddress"];
  readonly upstreamHost: string;
  readonly upstreamLocal: Exchange["upstreamLocal"];
  readonly upstreamFailure: string;
  readonly upstreamPeer: PeerIdentity | undefined;
  readonly endpoint: EndpointPlan | undefined;
  readonly cluster: string;
  readonly route: RoutePlan | undefined;
  readonly listener: string;
  readonly routeTable: string;
  /** Of an answer that was made here. */
  readonly decision: ReplyDecision | undefined;
}

/** Longer heads are not kept. */
const maxHeadBytes = 8 << 10;

export function factsOf(exchange: Observable, id: string, nowMs: number): RequestFacts {
  const { request, response, match, cluster, endpoint, startMs, responseStartMs, upstreamFirstByteMs } =
    exchange;
  const record = exchange instanceof ExchangeRecord ? exchange : undefined;
  return {
    id,
    connection: exchange.connection,
    direction: exchange.direction,
    startedMs: exchange.startEpochMs,
    durationMs: (exchange.endMs || nowMs) - startMs,
    responseMs: responseStartMs > 0 ? responseStartMs - startMs : 0,
    upstreamMs: upstreamFirstByteMs > 0 ? upstreamFirstByteMs - startMs : 0,
    requestId: exchange.requestId,
    method: request?.method ?? "",
    authority: record?.originalAuthority ?? "",
    path: exchange.originalPath,
    protocol: exchange.protocol,
    requestHeaders: exchange.requestHeaderBytes <= maxHeadBytes ? request?.headers : undefined,
    responseHeaders: response?.headers,
    responseTrailers: exchange.responseTrailers,
    status: response?.status ?? 0,
    flags: exchange.flags,
    details: exchange.details,
    isLocalReply: exchange.isLocalReply,
    attempts: exchange.attempts,
    bytesReceived: exchange.bytesReceived,
    bytesSent: exchange.bytesSent,
    clientAddress: exchange.clientAddress,
    upstreamHost: endpoint?.addressText ?? "",
    upstreamLocal: exchange.upstreamLocal,
    upstreamFailure: exchange.upstreamTransportFailure,
    upstreamPeer: exchange.upstreamPeer,
    endpoint: endpoint?.plan,
    cluster: cluster?.name ?? record?.clusterChoice?.cluster ?? "",
    route: match?.route,
    listener: record?.service.listener ?? "",
    routeTable: record?.plan.routes.current?.name ?? "",
    decision: decisionOf(exchange),
  };
}
