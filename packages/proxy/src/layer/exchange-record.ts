import type { BoundEndpoint, Cluster, Endpoint } from "../cluster/cluster.ts";
import type { HttpConnectionPlan } from "../listener/listener-plan.ts";
import type { SocketAddress } from "../net/socket-address.ts";
import type { PeerIdentity } from "../net/tls-plan.ts";
import type { ClusterChoice, RouteMatch } from "../route/route-plan.ts";
import type { ExchangeTrace } from "../tracing/exchange-trace.ts";
import type { SpanContext } from "../tracing/propagation.ts";
import type { DownstreamConnection } from "./downstream-connection.ts";
import type { DynamicMetadata } from "./dynamic-metadata.ts";
import type { Exchange } from "./exchange.ts";
import type { HeaderList } from "./header-list.ts";
import type { HttpService } from "./http-service.ts";
import type { RequestHead, ResponseHead } from "./message.ts";
import type { RedirectTrail } from "./redirect-trail.ts";
import type { UpstreamConnectionInfo } from "./upstream-connection-info.ts";

/** What is known of one HTTP request and its answer, as it becomes known. */
export abstract class ExchangeRecord implements Omit<Exchange, "reply" | "resume"> {
  readonly service: HttpService;
  readonly connection: DownstreamConnection;
  readonly plan: HttpConnectionPlan;
  readonly request: RequestHead | undefined;
  readonly protocol: Exchange["protocol"];
  readonly originalPath: string;
  /** As it arrived, before rewriting. */
  readonly originalAuthority: string;
  requestId = "";
  clientAddress: SocketAddress | undefined = undefined;
  response: ResponseHead | undefined = undefined;
  responseTrailers: HeaderList | undefined = undefined;
  stickyCookie: string | undefined = undefined;
  boundTo: BoundEndpoint | undefined = undefined;
  match: RouteMatch | undefined = undefined;
  /** What the route chose, whether or not there is such a cluster. */
  clusterChoice: ClusterChoice | undefined = undefined;
  cluster: Cluster | undefined = undefined;
  endpoint: Endpoint | undefined = undefined;
  attemptedEndpoints: Endpoint[] | undefined = undefined;
  upstreamPeer: PeerIdentity | undefined = undefined;
  upstreamLocal: SocketAddress | undefined = undefined;
  upstreamRemote: SocketAddress | undefined = undefined;
  upstreamTransportFailure = "";
  attempts = 0;
  flags = 0;
  details = "";
  isLocalReply = false;
  localReplyBody: string | undefined = undefined;
  readonly startMs: number;
  readonly startEpochMs: number;
  requestCompleteMs = 0;
  upstreamFirstByteMs = 0;
  responseStartMs = 0;
  endMs = 0;
  bytesReceived = 0;
  bytesSent = 0;
  requestHeaderBytes: number;
  upstreamConnectionHeaders: readonly string[] | undefined = undefined;
  /** Where redirects that were followed here have led. */
  redirects: RedirectTrail | undefined = undefined;
  filterState: Map<string, unknown> | undefined = undefined;
  dynamicMetadata: DynamicMetadata | undefined = undefined;
  /** The downstream half of an upgraded connection: never complete, never retried. */
  isUpgrade = false;
  span: SpanContext | undefined = undefined;
  /** The request's part of a trace, while it is sampled. */
  trace: ExchangeTrace | undefined = undefined;
  isTraceForced = false;
  /** What the caller is told this request is called; "" for nothing. */
  operationForCaller = "";

  constructor(
    service: HttpService,
    connection: DownstreamConnection,
    request: RequestHead | undefined,
    protocol: Exchange["protocol"],
    headBytes: number,
  ) {
    const { clock } = service.context;
    this.service = service;
    this.plan = service.plan;
    this.connection = connection;
    this.request = request;
    this.protocol = protocol;
    this.originalPath = request?.path ?? "";
    this.originalAuthority = request?.authority ?? "";
    this.requestHeaderBytes = headBytes;
    this.startMs = clock.monotonicMs();
    this.startEpochMs = clock.now();
  }

  /** The next attempt goes to this endpoint. */
  recordEndpoint(endpoint: Endpoint): void {
    if (this.endpoint) this.attemptedEndpoints ??= this.upstreamLocal ? [this.endpoint] : [];
    this.endpoint = endpoint;
  }

  /** A request went over this connection, which the record is of: of the latest attempt, or of the one that answers. */
  recordUpstream(endpoint: Endpoint, connection: UpstreamConnectionInfo | undefined): void {
    const attempted = this.attemptedEndpoints;
    if (attempted && !attempted.includes(endpoint)) attempted.push(endpoint);
    this.upstreamPeer = connection?.peer;
    this.upstreamLocal = connection?.local;
    this.upstreamRemote = connection?.remote;
  }

  get direction(): Exchange["direction"] {
    return this.service.direction;
  }
}
