import type { Counter, Gauge, Histogram } from "@weft/base/metric-registry";
import type { Hash64 } from "../hash/hash64.ts";
import type { SocketAddress } from "../net/socket-address.ts";
import type { UpstreamTlsPlan } from "../net/tls-plan.ts";
import type { UpstreamProxyProtocol } from "../net/upstream-proxy-protocol.ts";
import type { AnswerCounts } from "./answer-counts.ts";
import type { AnswersByOrigin } from "./answers-by-origin.ts";
import type { ClusterPlan, EndpointPlan } from "./cluster-plan.ts";
import type { ConnectionStats } from "./connection-stats.ts";

/** An endpoint by its address, in the form of logs. */
export interface BoundEndpoint {
  readonly address: string;
  /** There is no other for it. */
  readonly isStrict: boolean;
}

/** What the balancer may know of the request it places. */
export interface PickContext {
  readonly subset: readonly (readonly [key: string, value: string])[] | undefined;
  /** What consistent hashing places the request by; undefined places it anywhere. */
  readonly hash: Hash64 | undefined;
  /** Where a session is, whatever the balancer would choose. */
  readonly bound?: BoundEndpoint | undefined;
  /** For ORIGINAL_DST. */
  readonly originalDestination: SocketAddress | undefined;
  /** Endpoints a retry should avoid; they are chosen when there is no other. */
  readonly avoid: ((endpoint: Endpoint) => boolean) | undefined;
  /** Priorities, in ascending order, a retry should leave out; all count when there is no other. */
  readonly excludedPriorities?: readonly number[] | undefined;
}

/** How an attempt ended, as outlier detection and statistics see it. */
export type AttemptOutcome =
  | { readonly kind: "response"; readonly status: number }
  /** TCP: the connection was established. */
  | { readonly kind: "connected" }
  | { readonly kind: "local-origin-failure" }
  | { readonly kind: "timeout" };

/** One upstream host: shared by everything that refers to it, kept across updates while its address stays. */
export interface Endpoint {
  readonly plan: EndpointPlan;
  readonly address: SocketAddress;
  /** All of its addresses in the order in which connections try them; empty where there is one. */
  readonly turns: readonly SocketAddress[];
  /** `address` formatted, computed once, for logs. */
  readonly addressText: string;
  readonly priority: number;
  /** Requests in flight: read by least request, kept by the router. */
  activeRequests: number;
  /** The transport chosen for this endpoint; undefined is plaintext. */
  readonly tls: UpstreamTlsPlan | undefined;
  /** Given where its connections begin with a PROXY header, and so belong to one client each. */
  readonly proxyProtocol?: UpstreamProxyProtocol | undefined;
  /** Told how long an answer took, where the balancer counts it. */
  readonly latency: { observe(latencyMs: number, nowMs: number): void } | undefined;
  /** TCP connections proxied to it, kept where they are to end with its health. */
  sessions?: Set<{ destroy(): void }> | undefined;
  /** Owned by the connection pool: its connections to this endpoint. */
  pool: unknown;
}

/** Counts against one limit; `tryAcquire` is false at the limit and counts the overflow. */
export interface Breaker {
  readonly active: number;
  tryAcquire(): boolean;
  release(): void;
}

export interface Breakers {
  readonly connections: Breaker;
  readonly pending: Breaker;
  readonly requests: Breaker;
  readonly retries: Breaker;
}

/**
 * A cluster in service: the request path's view of it. The implementation owns
 * endpoints, balancing, ejection and breakers, and survives plan updates.
 */
export interface Cluster {
  readonly name: string;
  readonly plan: ClusterPlan;
  readonly stats: ClusterStats;
  /** Breakers for a routing priority. */
  breakers(priority: "default" | "high"): Breakers;
  /** The endpoint for the next attempt, or undefined when none is available (UH). */
  pick(context: PickContext): Endpoint | undefined;
  /** The endpoint asked, in a response, to get no more requests; has an effect where endpoints are checked. */
  failPassively(endpoint: Endpoint): void;
  /** Tells outlier detection how an attempt went. */
  report(endpoint: Endpoint, outcome: AttemptOutcome): void;
  /** Called when endpoints leave the cluster, so that their pools drain. */
  onEndpointRemoved: ((endpoint: Endpoint) => void) | undefined;
}

/** Looks clusters up by name on the request path. */
export interface ClusterDirectory {
  get(name: string): Cluster | undefined;
}

/** Envoy's `cluster.<name>.*` statistics, resolved once per cluster. */
export interface ClusterStats {
  readonly rqTotal: Counter;
  readonly rqActive: Gauge;
  /** What requests were answered with, whoever made the answer. */
  readonly answers: AnswersByOrigin;
  /** Answers that another attempt took the place of. */
  readonly retriedAnswers: AnswerCounts;
  readonly rqTimeMs: Histogram;
  readonly rqTimeout: Counter;
  readonly rqPerTryTimeout: Counter;
  readonly rqPerTryIdleTimeout: Counter;
  readonly rqRetry: Counter;
  readonly rqRetrySuccess: Counter;
  readonly rqRetryOverflow: Counter;
  readonly rqRetryLimitExceeded: Counter;
  readonly rqRetryBackoffExponential: Counter;
  readonly rqRetryBackoffRateLimited: Counter;
  readonly rqPendingTotal: Counter;
  readonly rqPendingActive: Gauge;
  readonly rqPendingOverflow: Counter;
  readonly rqPendingFailureEject: Counter;
  readonly rqRxReset: Counter;
  readonly rqTxReset: Counter;
  readonly rqCancelled: Counter;
  readonly redirectsFollowed: Counter;
  readonly redirectsPassed: Counter;
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly cxHttp1Total: Counter;
  readonly cxHttp2Total: Counter;
  readonly cxConnectFail: Counter;
  readonly cxConnectTimeout: Counter;
  readonly cxConnectAttemptsExceeded: Counter;
  readonly cxOverflow: Counter;
  readonly cxIdleTimeout: Counter;
  readonly cxMaxRequests: Counter;
  readonly cxMaxDurationReached: Counter;
  readonly cxDestroyRemote: Counter;
  readonly cxDestroyLocal: Counter;
  readonly cxRxBytes: Counter;
  readonly cxTxBytes: Counter;
  readonly cxNoneHealthy: Counter;
  /** Made by the first that asks: most clusters of a proxy are never called. */
  connections(): ConnectionStats;
}
