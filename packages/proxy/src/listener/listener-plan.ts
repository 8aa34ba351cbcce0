import type { Counter } from "@weft/base/metric-registry";
import type { HashPolicy } from "../hash/hash-policy.ts";
import type { Http2Plan } from "../http2/http2-plan.ts";
import type { AccessLog } from "../layer/access-log.ts";
import type { HttpFilter } from "../layer/http-filter.ts";
import type { LocalReplyPlan } from "../layer/local-reply-plan.ts";
import type { NetworkFilter } from "../layer/network-filter.ts";
import type { Discovery, DiscoveryOutcome } from "../layer/resource-discovery.ts";
import type { UnderscoreAction } from "../layer/underscored-fields.ts";
import type { MatchTree } from "../matching/match-tree.ts";
import type { SocketAddress } from "../net/socket-address.ts";
import type { DownstreamTlsPlan } from "../net/tls-plan.ts";
import type { HeaderEdits, HeaderValue } from "../route/header-edits.ts";
import type { RouteTable } from "../route/route-plan.ts";
import type { TracingPlan } from "../tracing/tracing-plan.ts";

/**
 * A listener, compiled. A changed listener drains its old connections under the
 * old plan while new ones are accepted under the new.
 *
 * @see envoy.config.listener.v3.Listener
 */
export interface ListenerPlan {
  readonly name: string;
  readonly addresses: readonly SocketAddress[];
  /** False for listeners that only receive connections handed over by `useOriginalDst`. */
  readonly bindToPort: boolean;
  /** Hand each connection to the listener bound to its original destination, when there is one. */
  readonly useOriginalDst: boolean;
  readonly trafficDirection: "inbound" | "outbound" | "unspecified";
  readonly listenerFilters: ListenerFilters;
  /** In order of declaration; the best match is chosen by Envoy's rules, not by order. */
  readonly chains: readonly FilterChainPlan[];
  readonly defaultChain: FilterChainPlan | undefined;
  /** Names the chain of a connection; undefined where the chains' own matches decide. */
  readonly chainChoice?: FilterChainChoice | undefined;
  readonly bufferLimitBytes: number;
  /** More connections at a time are refused; undefined: as many as come. */
  readonly maxConnections?: number;
  /** Does not heed the limit over all listeners. */
  readonly ignoresGlobalLimit?: boolean;
  /** Its connections stay while the proxy is told to fail health checks (`drain_type: MODIFY_ONLY`). */
  readonly ignoresFailedHealthChecks?: boolean;
  /** Serves on under pressure. */
  readonly bypassesOverload?: boolean;
  readonly origin: string | undefined;
  /** Where the rules of its policies were written, by the names they have in RBAC filters. */
  readonly policyOrigins?: ReadonlyMap<string, string>;
  readonly fingerprint: string;
}

/** Which inspections run before a filter chain is chosen. */
export interface ListenerFilters {
  readonly originalDst: boolean;
  readonly tlsInspector: boolean;
  readonly httpInspector: boolean;
  /** Absent takes connections as they come. */
  readonly proxyProtocol?: ProxyProtocolPlan | undefined;
  readonly timeoutMs: number;
  readonly continueOnTimeout: boolean;
}

/** @see envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol */
export interface ProxyProtocolPlan {
  /** Whether connections without a header are served too. */
  readonly allowsWithout: boolean;
  readonly disallowedVersions: ReadonlySet<1 | 2>;
  /** The TLVs that are kept to be sent on. */
  keepsTlv(type: number): boolean;
  readonly rules: readonly ProxyTlvRule[];
  readonly stats: ProxyProtocolStats;
}

/** A TLV of `type` becomes dynamic metadata of the connection. */
export interface ProxyTlvRule {
  readonly type: number;
  readonly namespace: string;
  readonly key: string;
}

/** Envoy's `proxy_proto.*`. */
export interface ProxyProtocolStats {
  readonly notFoundAllowed: Counter;
  readonly notFoundDisallowed: Counter;
  readonly versions: Readonly<
    Record<1 | 2, { readonly found: Counter; readonly disallowed: Counter; readonly error: Counter }>
  >;
}

export interface FilterChainPlan {
  readonly name: string;
  readonly match: FilterChainMatch;
  readonly tls: DownstreamTlsPlan | undefined;
  readonly transportConnectTimeoutMs: number;
  /** Network filters before the terminal one (RBAC), in order. */
  readonly networkFilters: readonly NetworkFilter[];
  readonly terminal: HttpConnectionPlan | TcpProxyPlan | AnswerPlan;
}

/** @see envoy.config.listener.v3.Listener.filter_chain_matcher */
export interface FilterChainChoice {
  /** The name of the chain; undefined is the default one. */
  readonly find: MatchTree<string>;
  /** Whether it looks at what a client sends first. */
  readonly needsInspection: boolean;
}

/** Empty lists and undefined match everything. @see envoy.config.listener.v3.FilterChainMatch */
export interface FilterChainMatch {
  readonly destinationPort: number | undefined;
  readonly prefixRanges: readonly CidrRange[];
  readonly serverNames: readonly string[];
  readonly transportProtocol: string;
  readonly applicationProtocols: readonly string[];
  readonly directSourcePrefixRanges: readonly CidrRange[];
  readonly sourcePrefixRanges: readonly CidrRange[];
  readonly sourcePorts: readonly number[];
  readonly sourceType: "any" | "same-ip-or-loopback" | "external";
}

export interface CidrRange {
  readonly address: string;
  readonly prefixLength: number;
}

/** @see envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager */
export interface HttpConnectionPlan {
  readonly kind: "http";
  readonly statPrefix: string;
  readonly codec: "auto" | "http1" | "http2";
  readonly http2: Http2Plan;
  /** The table in force now: RDS replaces it under running connections. Undefined before the first arrives (404 NR). */
  readonly routes: { readonly current: RouteTable | undefined };
  /** In order; the router is last. */
  readonly filters: readonly HttpFilter[];
  /** `local_reply_config`; undefined leaves answers made here as they are. */
  readonly localReplies?: LocalReplyPlan | undefined;
  readonly accessLogs: readonly AccessLog[];
  /** Absent traces nothing, and passes on what requests say of traces. */
  readonly tracing?: TracingPlan | undefined;
  readonly requestTimeoutMs: number;
  readonly requestHeadersTimeoutMs: number;
  readonly streamIdleTimeoutMs: number;
  /** How long what is complete may wait for an HTTP/2 client's window. */
  readonly streamFlushTimeoutMs: number;
  /** `max_stream_duration`: from a request's head to the end of its answer; 0 is unlimited. */
  readonly maxStreamDurationMs: number;
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
  /** `http1_safe_max_connection_duration`: an HTTP/1 connection that is too old ends with its next answer only. */
  readonly keepsIdleAtMaxDuration: boolean;
  /** How long a client may take to close after us; 0 is not at all. */
  readonly delayedCloseMs: number;
  readonly drainTimeoutMs: number;
  readonly maxRequestHeadersBytes: number;
  readonly maxHeadersCount: number;
  readonly maxRequestsPerConnection: number;
  readonly underscores: UnderscoreAction;
  readonly serverName: string;
  readonly serverHeaderTransformation: "overwrite" | "append-if-absent" | "pass-through";
  readonly generateRequestId: boolean;
  readonly preserveExternalRequestId: boolean;
  /** `always_set_request_id_in_response`. */
  readonly tellsRequestId: boolean;
  readonly useRemoteAddress: boolean;
  readonly xffNumTrustedHops: number;
  readonly skipXffAppend: boolean;
  readonly appendsForwardedPort: boolean;
  readonly via: string;
  readonly forwardClientCert:
    | "sanitize"
    | "forward-only"
    | "append-forward"
    | "sanitize-set"
    | "always-forward-only";
  readonly setClientCertDetails: {
    readonly subject: boolean;
    readonly cert: boolean;
    readonly chain: boolean;
    readonly dns: boolean;
    readonly uri: boolean;
  };
  readonly normalizePath: boolean;
  readonly mergeSlashes: boolean;
  readonly escapedSlashes: "keep" | "reject" | "redirect" | "forward";
  readonly stripPort: "none" | "matching" | "any";
  readonly stripsHostDot: boolean;
  /** `upgrade_configs` by protocol in lower case (`websocket`, `connect`): whether it is allowed. */
  readonly upgrades: ReadonlyMap<string, boolean>;
  /** HTTP/1 `enable_trailers`: trailers pass; otherwise they are read and dropped. */
  readonly keepsTrailers: boolean;
  readonly acceptHttp10: boolean;
  /** Taken for the host an HTTP/1.0 request does not name; "" refuses such requests. */
  readonly defaultHttp10Host: string;
  /** `100-continue` is the upstream's business. */
  readonly proxies100: boolean;
  readonly properCaseHeaders: boolean;
  /** HTTP/1 `allow_absolute_url`; on by default. */
  readonly allowsAbsoluteTargets?: boolean;
}

/**
 * Answers here: with a fixed text, or with the client's own words.
 *
 * @see envoy.extensions.filters.network.direct_response.v3.Config
 * @see envoy.extensions.filters.network.echo.v3.Echo
 */
export type AnswerPlan =
  | { readonly kind: "direct-response"; readonly body: Buffer }
  | { readonly kind: "echo" };

/** @see envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy */
export interface TcpProxyPlan {
  readonly kind: "tcp";
  readonly statPrefix: string;
  /** `named` is the cluster a network filter chose for this connection: it replaces a single cluster, not weighted ones. */
  selectCluster(
    random: number,
    named?: string,
  ): {
    readonly cluster: string;
    readonly subset: readonly (readonly [key: string, value: string])[] | undefined;
  };
  /** What consistent hashing places connections by. */
  readonly hashPolicy?: HashPolicy | undefined;
  readonly idleTimeoutMs: number;
  /** 0 means no limit; jitter adds up to this share of it. */
  readonly maxDurationMs: number;
  readonly maxDurationJitter: number;
  readonly maxConnectAttempts: number;
  /** Undefined tries the next endpoint at once. */
  readonly backoff: { readonly baseMs: number; readonly maxMs: number } | undefined;
  /** Connect once the client has sent something, not at once. */
  readonly connectsOnData: boolean;
  /** How much to read from the client before there is an upstream; 0 reads nothing. */
  readonly maxEarlyBytes: number;
  /** Carries the bytes in HTTP requests; absent sends them as they are. */
  readonly tunnel?: TunnelPlan | undefined;
  /** Asks for a cluster that is not there; absent ends the connection. */
  readonly discover?:
    | ((cluster: string, onAnswer: (outcome: DiscoveryOutcome) => void) => Discovery)
    | undefined;
  readonly logsOnConnected: boolean;
  /** 0 logs only the end. */
  readonly accessLogIntervalMs: number;
  readonly accessLogs: readonly AccessLog[];
}

/** @see envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.TunnelingConfig */
export interface TunnelPlan {
  /** What is asked to be connected to. */
  readonly hostname: HeaderValue;
  /** Where to POST to; undefined asks by CONNECT. */
  readonly postPath: string | undefined;
  readonly headers: HeaderEdits | undefined;
}
