import type { ConditionText } from "../config/describe-route-match.ts";
import type { FaultPlan } from "../filters/fault-plan.ts";
import type { PolicyJudgement } from "../filters/rbac-engine.ts";
import type { RequestHead } from "../layer/message.ts";
import type { ConnectionFacts } from "../listener/filter-chain-matcher.ts";
import type { PeerIdentity } from "../net/tls-plan.ts";
import type { CallLimits } from "../route/call-limits.ts";
import type { RetryPlan } from "../route/retry-plan.ts";
import type { RouteMiss, RouteTrace } from "../route/route-plan.ts";

/** A request that is not sent. */
export interface DryRequest {
  readonly method: string;
  readonly authority: string;
  /** With its query. */
  readonly path: string;
  readonly scheme: "http" | "https";
  /** Flat: name in lower case, then value. */
  readonly headers: readonly string[];
  /** What the client asks to switch to, in lower case; "" for nothing. */
  readonly upgrade: string;
  readonly protocol: "HTTP/1.1" | "HTTP/2";
}

/** A connection that is not made, and what would be asked over it. */
export interface DryCall {
  /** The listener it arrives at, by name. */
  readonly listener: string;
  /** Listeners it may be handed to for its destination, by name. */
  readonly handedTo: readonly string[];
  readonly facts: ConnectionFacts;
  /** Who the client proves to be; undefined where it shows no certificate. */
  readonly peer: PeerIdentity | undefined;
  /** Undefined asks about the connection alone. */
  readonly request: DryRequest | undefined;
}

/** What one proxy would do with a call, and how it came to that. */
export interface CallTrace {
  /** Undefined where there is no such listener. */
  readonly listener: { readonly name: string; readonly origin: string | undefined } | undefined;
  /** Undefined where no filter chain is for such connections: they are closed. */
  readonly chain: { readonly name: string; readonly isTls: boolean } | undefined;
  /** Why the connection is closed before anything is asked over it. */
  readonly refusal: string | undefined;
  readonly policies: readonly PolicyTrace[];
  /** Of the largest share of such requests that is sent on, else of the largest. */
  readonly http: HttpTrace | undefined;
  /** What becomes of such requests where routes are for shares of them; else one, of all. */
  readonly shares: readonly HttpShare[];
  /** Clusters that bytes go to unseen, where this is no HTTP. */
  readonly tcp: readonly ClusterShare[] | undefined;
}

/** What one filter of policies thought of a call. */
export interface PolicyTrace {
  readonly filter: string;
  readonly action: "allow" | "deny" | "log" | "matcher";
  readonly isAllowed: boolean;
  readonly judgements: readonly PolicyJudgement[];
}

export interface ClusterShare {
  readonly cluster: string;
  /** Of all such requests, 0 to 1. */
  readonly share: number;
}

export interface HttpShare {
  /** Of all such requests, 0 to 1. */
  readonly share: number;
  readonly http: HttpTrace;
}

export interface HttpTrace {
  readonly routes: RouteTrace;
  readonly routeTable: string;
  /** The conditions of `routes.misses`, each with what the request had instead. */
  readonly misses: readonly MissText[];
  /** The conditions of the route that matched. */
  readonly conditions: readonly ConditionText[];
  /** The request as routes and policies saw it. */
  readonly seen: RequestHead;
  /** Answered here, by a filter or the route; undefined where it goes on. */
  readonly reply: DryReply | undefined;
  /** Sent on; undefined where it is answered here or waits. */
  readonly forward: Forwarding | undefined;
  /** Clusters that filters wait for an answer of: what happens then is theirs to say. */
  readonly asked: readonly string[];
  /** Faults the route injects into such requests, some or all. */
  readonly fault: FaultPlan | undefined;
  /** How long filters held the request on purpose. */
  readonly delayedMs: number;
}

export interface MissText {
  readonly miss: RouteMiss;
  /** What the route wanted. */
  readonly wanted: string;
  /** What the request had. */
  readonly found: string;
}

export interface DryReply {
  readonly status: number;
  /** Envoy's short names, or `-`. */
  readonly flags: string;
  readonly details: string;
  /** Flat: name, then value. */
  readonly headers: readonly string[];
  readonly body: string;
}

export interface Forwarding {
  readonly clusters: readonly ClusterShare[];
  /** Copies, by cluster; the share of requests that are copied. */
  readonly mirrors: readonly ClusterShare[];
  /** The request as the upstream sees it, for the cluster with the largest share. */
  readonly head: RequestHead;
  readonly limits: CallLimits;
  /** Undefined where nothing about it is tried again. */
  readonly retry: RetryPlan | undefined;
  /** What is added to every answer: flat, name then value. */
  readonly responseHeaders: readonly string[];
}
