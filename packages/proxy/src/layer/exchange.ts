import type { BoundEndpoint, Cluster, Endpoint } from "../cluster/cluster.ts";
import type { HttpConnectionPlan } from "../listener/listener-plan.ts";
import type { SocketAddress } from "../net/socket-address.ts";
import type { PeerIdentity } from "../net/tls-plan.ts";
import type { RouteMatch } from "../route/route-plan.ts";
import type { ExchangeTrace } from "../tracing/exchange-trace.ts";
import type { SpanContext } from "../tracing/propagation.ts";
import type { DownstreamConnection } from "./downstream-connection.ts";
import type { DynamicMetadata } from "./dynamic-metadata.ts";
import type { HeaderList } from "./header-list.ts";
import type { RequestHead, ResponseHead } from "./message.ts";

/**
 * Everything known about one request and its answer: the record that filters
 * read, and that access logs, metrics and traces are made from. For a TCP
 * connection it is the record of the connection.
 *
 * Times are `Clock.monotonicMs`; `startEpochMs` anchors them to the wall clock.
 */
export interface Exchange {
  readonly connection: DownstreamConnection;
  readonly direction: "inbound" | "outbound" | "unspecified";
  readonly plan: HttpConnectionPlan | undefined;
  /** Undefined for TCP, and for HTTP when no head could be parsed (flag DPE). */
  readonly request: RequestHead | undefined;
  readonly protocol: "HTTP/1.0" | "HTTP/1.1" | "HTTP/2" | "";
  response: ResponseHead | undefined;
  /** Where `grpc-status` of a streamed response is; absent when there were none. */
  responseTrailers?: HeaderList | undefined;
  /** The path as it arrived, before normalisation and rewriting. */
  readonly originalPath: string;
  readonly requestId: string;
  /** Where this request stands in its trace once that has begun, sampled or not. */
  readonly span?: SpanContext | undefined;
  /** The span of this request, where it is sampled. */
  readonly trace?: ExchangeTrace | undefined;
  /** Whether its id says that it must be traced; absent means no. */
  readonly isTraceForced?: boolean;

  /** The client's address where `x-forwarded-for` is trusted; undefined or absent means `connection.remote`. */
  readonly clientAddress?: SocketAddress | undefined;

  /** Set when the client is to be given a cookie that keeps it at its endpoint: a `set-cookie` value. */
  stickyCookie?: string | undefined;

  /** The endpoint whose session the request belongs to: its first attempt goes there, if that is there and well. */
  boundTo?: BoundEndpoint | undefined;

  match: RouteMatch | undefined;
  cluster: Cluster | undefined;
  endpoint: Endpoint | undefined;
  /** The endpoints that the request was sent to, each once, when there was more than one attempt. */
  readonly attemptedEndpoints?: readonly Endpoint[] | undefined;
  /** The identity the upstream proved, when the hop was mutual TLS. */
  upstreamPeer: PeerIdentity | undefined;
  upstreamLocal: SocketAddress | undefined;
  /** Where the endpoint was reached, where that is not its only address. */
  upstreamRemote?: SocketAddress | undefined;
  upstreamTransportFailure: string;
  attempts: number;

  /** Bits of `ResponseFlag`. */
  flags: number;
  /** Envoy's `response_code_details`, e.g. `via_upstream`, `route_not_found`, `rbac_access_denied_matched_policy[ns[default]-policy[x]-rule[0]]`. */
  details: string;
  /** `%ACCESS_LOG_TYPE%` of what is being logged now; absent means `DownstreamEnd`. */
  readonly logType?: "TcpUpstreamConnected" | "TcpPeriodic" | "TcpConnectionEnd" | undefined;
  /** The body of an answer made here, while it is given its form. */
  localReplyBody?: string | undefined;
  /** Whether the answer was made here rather than upstream. */
  isLocalReply: boolean;

  readonly startMs: number;
  readonly startEpochMs: number;
  requestCompleteMs: number;
  upstreamFirstByteMs: number;
  responseStartMs: number;
  endMs: number;
  bytesReceived: number;
  bytesSent: number;
  requestHeaderBytes: number;

  /**
   * Fields (flat, name then value) to send along when this request turns out to
   * be the first on its upstream connection: who we are, once per connection.
   */
  upstreamConnectionHeaders: readonly string[] | undefined;
  /** Per-request state of filters by filter name; made on first use. */
  filterState: Map<string, unknown> | undefined;
  /** `dynamic_metadata`: filter name → key → value. */
  dynamicMetadata: DynamicMetadata | undefined;

  /**
   * Answers from here. `details` is Envoy's response code detail; flags are added to `flags`.
   * A gRPC request gets `grpcStatus`, or what `status` maps to, in a trailers-only response.
   */
  reply(status: number, body: string, details: string, flags?: number, grpcStatus?: number): void;
  /** Continues after a filter returned "stop" without replying. No effect once the exchange is over. */
  resume(): void;
}
