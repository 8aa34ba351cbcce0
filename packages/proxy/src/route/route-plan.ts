import type { CorsPolicy } from "../filters/cors.ts";
import type { RouteRateLimits } from "../filters/rate-limit/descriptors.ts";
import type { HashPolicy, HashSource } from "../hash/hash-policy.ts";
import type { MetadataValue } from "../layer/dynamic-metadata.ts";
import type { Exchange } from "../layer/exchange.ts";
import type { BodyFormat } from "../layer/local-reply-plan.ts";
import type { RequestHead } from "../layer/message.ts";
import type { Discovery, DiscoveryOutcome } from "../layer/resource-discovery.ts";
import type { Decorator, RouteTracing } from "../tracing/tracing-plan.ts";
import type { CallLimits } from "./call-limits.ts";
import type { HeaderEdits } from "./header-edits.ts";
import type { InternalRedirectPlan } from "./internal-redirect-plan.ts";
import type { MirrorPlan } from "./mirror-plan.ts";
import type { RetryPlan } from "./retry-plan.ts";
import type { RouteSource } from "./route-predicate.ts";
import type { StreamDuration } from "./stream-duration.ts";

/**
 * A route configuration, compiled: every matcher a ready-made function, every
 * edit a flat list. Its routes are immutable, and a request that began with one
 * ends with it; virtual hosts may come and go where it has `onDemand`.
 *
 * @see envoy.config.route.v3.RouteConfiguration
 */
export interface RouteTable {
  readonly name: string;
  /** The first virtual host whose domain wins and the first of its routes that matches. `random` is uniform in [0, 1). */
  match(request: RequestHead, random: number, source?: RouteSource): RouteMatch | undefined;
  /** As `match`, saying why each route that was tried before did not apply. For explanations: it costs more. */
  trace(request: RequestHead, random: number, source?: RouteSource): RouteTrace;
  /** Where virtual hosts are asked for when a request needs them (`vhds`). */
  readonly onDemand?: OnDemandHosts;
}

/** Virtual hosts that are asked for. */
export interface OnDemandHosts {
  /** The resource that a request without a route waits for; undefined where all that could route it is there. */
  wantedFor(request: RequestHead): string | undefined;
  discover(name: string, onAnswer: (outcome: DiscoveryOutcome) => void): Discovery;
}

/** How a route table came to its answer. */
export interface RouteTrace {
  /** The virtual host whose domain won, and that domain; undefined where none is for this host. */
  readonly virtualHost: { readonly name: string; readonly domain: string } | undefined;
  /** The routes that came before and did not apply, in order. */
  readonly misses: readonly RouteMiss[];
  /** Undefined where nothing matched. */
  readonly match: RouteMatch | undefined;
  /** Which of the virtual host's routes matched; undefined for none, and for the redirect to TLS. */
  readonly index: number | undefined;
}

/** No virtual host is for the request. */
export const noRouteTrace: RouteTrace = {
  virtualHost: undefined,
  misses: [],
  match: undefined,
  index: undefined,
};

export interface RouteMiss {
  /** Which of the virtual host's routes. */
  readonly index: number;
  readonly route: RoutePlan;
  /** What did not hold: the path, the condition of that number (as `decodeConditions` orders them), or the share of requests. */
  readonly failed: "path" | "fraction" | number;
}

export interface RouteMatch {
  readonly virtualHost: VirtualHostPlan;
  readonly route: RoutePlan;
}

export interface VirtualHostPlan {
  readonly name: string;
  /** `include_request_attempt_count`: sends `x-envoy-attempt-count` upstream. */
  readonly includesRequestAttemptCount?: boolean;
  /** `include_attempt_count_in_response`. */
  readonly includesResponseAttemptCount?: boolean;
  /** `include_is_timeout_retry_header`: retries say in `x-envoy-is-timeout-retry` whether a timeout caused them. */
  readonly includesTimeoutRetry?: boolean;
}

export interface RoutePlan {
  readonly name: string;
  readonly action: RouteAction;
  /** Route, virtual host and table edits in the order Envoy applies them. */
  readonly requestEdits: HeaderEdits | undefined;
  readonly responseEdits: HeaderEdits | undefined;
  /** `typed_per_filter_config`, compiled by each filter's own factory; most specific wins. */
  readonly filterConfigs: ReadonlyMap<string, unknown> | undefined;
  /** `cors` of the virtual host and the route, most general first. */
  readonly cors?: readonly CorsPolicy[] | undefined;
  readonly rateLimits?: RouteRateLimits | undefined;
  /** `metadata.filter_metadata`: filter name → key → value. */
  readonly metadata?: Readonly<Record<string, MetadataValue>> | undefined;
  readonly tracing?: RouteTracing | undefined;
  readonly decorator?: Decorator | undefined;
  /** The YAML this route came from (`filter_metadata["weft.origin"]`, or Istio's `istio.config`), for explanations. */
  readonly origin: string | undefined;
}

export type RouteAction = ForwardAction | RedirectAction | DirectResponseAction;

export interface ForwardAction {
  readonly kind: "forward";
  /** Chooses among weighted clusters; `random` is uniform in [0, 1). */
  selectCluster(request: RequestHead, random: number, source: HashSource): ClusterChoice;
  readonly limits: CallLimits;
  /** Undefined inherits the connection manager's stream idle timeout. */
  readonly idleTimeoutMs: number | undefined;
  readonly streamDuration: StreamDuration | undefined;
  /** How much of a body is kept for another attempt, where the route says so. */
  readonly bodyLimit: BodyLimit | undefined;
  readonly retry: RetryPlan | undefined;
  /**
   * `max_grpc_timeout`: gRPC requests take their timeout from `grpc-timeout`, less
   * `offsetMs` where it is longer, up to `maxMs`, which 0 leaves open.
   */
  readonly grpcTimeout: { readonly maxMs: number; readonly offsetMs: number } | undefined;
  /** Returns the path to send; undefined leaves it. */
  readonly rewritePath: ((path: string, exchange: Exchange) => string | undefined) | undefined;
  /** Returns the authority to send; undefined leaves it. */
  readonly rewriteAuthority: ((request: RequestHead, exchange: Exchange) => string | undefined) | undefined;
  /** Copies of requests for other clusters. */
  readonly mirrors: readonly MirrorPlan[] | undefined;
  /** `append_x_forwarded_host`: an authority that is replaced is kept in `x-forwarded-host`. */
  readonly appendsForwardedHost: boolean;
  /** `auto_host_rewrite`: send the chosen endpoint's hostname. */
  readonly autoHostRewrite: boolean;
  /** `hash_policy`: what consistent hashing places requests by. */
  readonly hashPolicy: HashPolicy | undefined;
  readonly priority: "default" | "high";
  readonly clusterNotFoundStatus: number;
  /** `upgrade_configs` by protocol in lower case: whether it is allowed here, whatever the connection manager says. */
  readonly upgrades: ReadonlyMap<string, boolean>;
  /** `connect_config`: a CONNECT ends here, and its payload goes to the cluster as it is. */
  readonly terminatesConnect: boolean;
  /** Redirects that are followed here instead of by the client. */
  readonly internalRedirect?: InternalRedirectPlan | undefined;
}

export interface BodyLimit {
  readonly bytes: number;
  /** `request_body_buffer_limit` may be more than the listener's limit, `per_request_buffer_limit_bytes` not. */
  readonly replacesListeners: boolean;
}

export interface ClusterChoice {
  readonly cluster: string;
  /** Subset criteria (`metadata_match`, filter `envoy.lb`), sorted by key. */
  readonly subset: readonly (readonly [key: string, value: string])[] | undefined;
  readonly requestEdits: HeaderEdits | undefined;
  readonly responseEdits: HeaderEdits | undefined;
  /** The authority requests to this cluster are sent with, unless the route rewrites it. */
  readonly authority?: string | undefined;
  /** Where this cluster has per-filter configuration of its own: that, laid over the route's. */
  readonly filterConfigs?: ReadonlyMap<string, unknown> | undefined;
}

export interface RedirectAction {
  readonly kind: "redirect";
  readonly status: number;
  location(request: RequestHead): string;
}

export interface DirectResponseAction {
  readonly kind: "direct-response";
  readonly status: number;
  readonly body: Buffer | undefined;
  /** How the body is made; undefined sends it as it is. */
  readonly format?: BodyFormat | undefined;
}
