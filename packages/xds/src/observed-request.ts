/**
 * What a data plane says of a request, and what it is asked: the JSON forms of
 * `weft.observe.v1`, in which sidecar, control plane and their readers speak of
 * them. `proto/weft/observe/v1/observe.proto` says what each field is.
 */
export interface ObservedRequest {
  readonly id: string;
  readonly direction: string;
  readonly startedMs: number;
  readonly durationMs: number;
  readonly responseMs: number;
  readonly upstreamMs: number;
  readonly requestId: string;
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly protocol: string;
  readonly headers?: readonly string[];
  readonly userAgent: string;
  readonly forwardedFor: string;
  readonly downstreamRemote: string;
  readonly downstreamLocal: string;
  readonly serverName: string;
  readonly upstreamHost: string;
  readonly upstreamLocal: string;
  readonly upstreamFailure: string;
  readonly attempts: number;
  readonly source?: ObservedParty;
  readonly destination?: ObservedParty;
  readonly isMutualTls: boolean;
  readonly status: number;
  readonly grpcStatus: string;
  readonly flags: string;
  readonly details: string;
  readonly isLocalReply: boolean;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly route: string;
  readonly routeOrigin: string;
  readonly routeConfig: string;
  readonly cluster: string;
  readonly decidedOrigin: string;
  readonly decidedBy: string;
  readonly changes?: readonly ObservedChange[];
}

export interface ObservedParty {
  readonly workload: string;
  readonly version: string;
  readonly identity: string;
}

export interface ObservedChange {
  readonly type: string;
  readonly name: string;
  readonly atMs: number;
}

export type ObservedPhase = "req" | "rsp" | "end";

export interface ObservedEvent {
  readonly phase: ObservedPhase;
  readonly request: ObservedRequest;
}

/** What somebody watches; what is absent is its default. */
export interface WatchPlan {
  readonly inbound?: PeerFilter;
  readonly outbound?: PeerFilter;
  readonly pathPrefix?: string;
  readonly method?: string;
  readonly statusMin?: number;
  readonly statusMax?: number;
  readonly maxPerSecond?: number;
  readonly endsOnly?: boolean;
}

/** The other party of a request. Nothing named: anybody. */
export interface PeerFilter {
  readonly identities?: readonly string[];
  readonly workloads?: readonly string[];
  readonly hosts?: readonly string[];
  readonly addresses?: readonly string[];
}

/** What is asked of the requests that are remembered. */
export interface RecallPlan {
  readonly requestId?: string;
  readonly sinceMs?: number;
  readonly limit?: number;
  readonly withHeaders?: boolean;
  readonly matching?: WatchPlan;
}
