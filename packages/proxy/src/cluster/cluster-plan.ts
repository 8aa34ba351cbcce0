import type { HealthCheckPlan } from "../health-check/health-check-plan.ts";
import type { Http2Plan } from "../http2/http2-plan.ts";
import type { ResponseHead } from "../layer/message.ts";
import type { AddressOrder } from "../net/address-order.ts";
import type { SocketAddress } from "../net/socket-address.ts";
import type { TcpKeepalivePlan } from "../net/tcp-keepalive.ts";
import type { UpstreamTlsPlan } from "../net/tls-plan.ts";
import type { UpstreamProxyProtocol } from "../net/upstream-proxy-protocol.ts";
import type { BalancerPlan } from "./balancer-plan.ts";
import type { RatePlan } from "./success-rate.ts";
import type { ZoneAwarePlan } from "./zone-aware-plan.ts";

/**
 * An upstream cluster, compiled from CDS or a bootstrap. Immutable; the runtime
 * state (endpoints, balancer position, breakers, ejections) lives in `Cluster`
 * and survives an update that leaves it unchanged.
 *
 * @see envoy.config.cluster.v3.Cluster
 */
export interface ClusterPlan {
  readonly name: string;
  /** `alt_stat_name`, or the name. */
  readonly statName: string;
  readonly discovery: Discovery;
  readonly connectTimeoutMs: number;
  readonly balancer: BalancerPlan;
  /** Subset selectors: each a sorted list of metadata keys under `envoy.lb`. */
  readonly subsets: SubsetPlan | undefined;
  readonly breakers: { readonly default: BreakerLimits; readonly high: BreakerLimits };
  readonly outlier: OutlierPlan | undefined;
  /** Which answers are errors of their endpoint; absent: by their status. */
  readonly isErrorAnswer?: ((head: ResponseHead) => boolean) | undefined;
  readonly healthCheck?: HealthCheckPlan | undefined;
  /** `ignore_new_hosts_until_first_hc`: new endpoints do not count, in either direction, until checked. */
  readonly ignoresUncheckedEndpoints?: boolean;
  /** `ignore_health_on_host_removal`: an endpoint that discovery drops leaves although its checks succeed. */
  readonly ignoresHealthOnRemoval?: boolean;
  /** `close_connections_on_host_health_failure`. */
  readonly closesConnectionsOnFailure?: boolean;
  /**
   * The protocol spoken on upstream connections: `downstream` is that of the
   * request, `negotiated` each endpoint's choice by ALPN.
   */
  readonly protocol: "http1" | "http2" | "downstream" | "negotiated";
  /** Of `downstream`: TCP tunnels, whose clients speak no HTTP, go by HTTP/2. */
  readonly tunnelsByHttp2?: boolean;
  /** How HTTP/2 is spoken, where it is; absent means the defaults. */
  readonly http2?: Http2Plan;
  /** Chosen per endpoint, first match wins; `tls: undefined` is plaintext. */
  readonly transports: readonly TransportPlan[];
  /** HTTP/1 `enable_trailers`: trailers pass; otherwise they are read and dropped. */
  readonly keepsTrailers?: boolean;
  /** HTTP/1 `header_key_format`: `X-Request-Id` rather than `x-request-id`. */
  readonly properCaseHeaders?: boolean;
  readonly maxRequestsPerConnection: number;
  /** A connection this old takes no more requests; 0 or undefined lets it grow older. */
  readonly maxConnectionDurationMs?: number;
  /** `max_headers_count` of responses; undefined is Envoy's 100. */
  readonly maxResponseHeaders?: number | undefined;
  readonly tcpKeepalive?: TcpKeepalivePlan | undefined;
  /** `close_connections_on_host_set_change`: all connections drain whenever endpoints come or go. */
  readonly closesConnectionsOnChange?: boolean;
  /** 0 disables. Envoy's default is one hour. */
  readonly idleTimeoutMs: number;
  readonly bufferLimitBytes: number;
  /** `upstream_bind_config`: where connections come from; the first of the endpoint's family. */
  readonly bindAddresses?: readonly string[];
  /** The order in which an endpoint's addresses are tried; undefined is Envoy's: the first family, then by turns. */
  readonly addressOrder?: AddressOrder | undefined;
  /** `lb_policy: CLUSTER_PROVIDED` on an ORIGINAL_DST cluster honours this header when set. */
  readonly originalDstHeader: string | undefined;
  /** `common_lb_config.healthy_panic_threshold`; undefined is Envoy's 50, 0 switches panic off. */
  readonly panicThresholdPercent?: number;
  /** `common_lb_config.locality_weighted_lb_config` is present: locality weights count. */
  readonly isLocalityWeighted?: boolean;
  /** Zone-aware routing, in force where the bootstrap names a local cluster; undefined is Envoy's default. */
  readonly zoneAware?: ZoneAwarePlan | undefined;
  /** The service this cluster stands for (`filter_metadata["istio"].services[0]`), for Istio's metric labels. */
  readonly service?: { readonly host: string; readonly name: string; readonly namespace: string };
  readonly origin: string | undefined;
  /** A hash of everything above: equal hashes mean the update changes nothing. */
  readonly fingerprint: string;
}

export type Discovery =
  | {
      readonly kind: "static";
      readonly endpoints: readonly LocalityEndpoints[];
      readonly policy?: AssignmentPolicy;
    }
  | DnsPlan
  | {
      readonly kind: "eds";
      readonly serviceName: string;
      /** Where the endpoints come from, as configuration names it; ADS where it is absent. */
      readonly source?: string;
    }
  | { readonly kind: "original-dst" }
  /** Other clusters, by name: as if their priorities were this one's, in that order. */
  | { readonly kind: "aggregate"; readonly clusters: readonly string[] };

/** @see envoy.extensions.clusters.dns.v3.DnsCluster */
export interface DnsPlan {
  /** Every address of every name, or the first address of the only name. */
  readonly kind: "strict-dns" | "logical-dns";
  readonly endpoints: readonly LocalityEndpoints[];
  readonly policy?: AssignmentPolicy;
  readonly refreshMs: number;
  /** Added to every refresh at random, up to this much. */
  readonly jitterMs?: number;
  /** `respect_dns_ttl`: the answer's time to live takes the place of `refreshMs`. */
  readonly respectsTtl?: boolean;
  /** How names that fail are asked again; undefined grows from a second to `refreshMs`. */
  readonly failureBackoff?: { readonly baseMs: number; readonly maxMs: number } | undefined;
  /** Undefined is Envoy's AUTO. */
  readonly family?: DnsFamily;
}

/** `auto` is IPv6, else IPv4. */
export type DnsFamily = "auto" | "v4-only" | "v6-only" | "v4-preferred" | "all";

/** @see envoy.config.cluster.v3.Cluster.TransportSocketMatch */
export interface TransportPlan {
  /** Of its match, in statistics; absent: the cluster's own transport, which is `default`. */
  readonly name?: string | undefined;
  /** Endpoint metadata (`envoy.transport_socket_match`) that must all be equal; empty matches every endpoint. */
  readonly match: readonly (readonly [key: string, value: string])[];
  readonly tls: UpstreamTlsPlan | undefined;
  /** What each connection begins with, before TLS. */
  readonly proxyProtocol?: UpstreamProxyProtocol | undefined;
}

/** @see envoy.config.cluster.v3.Cluster.LbSubsetConfig */
export interface SubsetPlan {
  readonly selectors: readonly SubsetSelector[];
  readonly fallback: SubsetFallback;
  readonly defaultSubset: readonly (readonly [key: string, value: string])[];
  /** Where the fallback has no endpoint either, any is used. */
  readonly panicsToAny?: boolean;
  /** Criteria may have keys beside those of a selector. */
  readonly allowsRedundantKeys?: boolean;
  /** A list in an endpoint's metadata stands for each of its values. */
  readonly readsLists?: boolean;
  /** Locality weights count within a subset; otherwise its endpoints are one pool. */
  readonly isLocalityAware?: boolean;
  /** …each in proportion to how many of the locality's endpoints the subset has. */
  readonly scalesLocalityWeights?: boolean;
}

export type SubsetFallback = "no-endpoint" | "any-endpoint" | "default-subset";

export interface SubsetSelector {
  /** Metadata keys under `envoy.lb`, sorted. */
  readonly keys: readonly string[];
  /** Takes the place of the cluster's; an array names the criteria that are kept for another try. */
  readonly fallback?: SubsetFallback | readonly string[] | undefined;
  /** Each value belongs to one endpoint, which is used whatever its health. */
  readonly hasSingleHost?: boolean;
}

/** @see envoy.config.cluster.v3.CircuitBreakers.Thresholds */
export interface BreakerLimits {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
  /** Share of active requests that may be retries; a budget is always in force. */
  readonly retryBudgetPercent: number;
  readonly minRetryConcurrency: number;
}

/** @see envoy.config.cluster.v3.OutlierDetection */
export interface OutlierPlan {
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  readonly maxEjectionPercent: number;
  /** `always_eject_one_host`: one endpoint may be ejected whatever `maxEjectionPercent` says. */
  readonly alwaysEjectsOneHost?: boolean;
  /** `successful_active_health_check_uneject_host`: a check that makes an endpoint healthy ends its ejection. */
  readonly releasesOnCheck?: boolean;
  readonly consecutive5xx: number;
  readonly enforcingConsecutive5xx: number;
  readonly consecutiveGatewayFailure: number;
  readonly enforcingConsecutiveGatewayFailure: number;
  /** `max_ejection_time_jitter`: ejections last longer at random, so that not all end at once. */
  readonly maxEjectionJitterMs: number;
  readonly rates: RatePlan;
  readonly enforcingSuccessRate: number;
  readonly enforcingLocalOriginSuccessRate: number;
  readonly enforcingFailurePercentage: number;
  readonly enforcingFailurePercentageLocalOrigin: number;
  readonly splitExternalLocalOriginErrors: boolean;
  readonly consecutiveLocalOriginFailure: number;
  readonly enforcingConsecutiveLocalOriginFailure: number;
}

/** @see envoy.config.endpoint.v3.ClusterLoadAssignment */
export interface EndpointAssignment {
  readonly localities: readonly LocalityEndpoints[];
  readonly policy?: AssignmentPolicy;
}

/** @see envoy.config.endpoint.v3.ClusterLoadAssignment.Policy */
export interface AssignmentPolicy {
  /** Percent; undefined is Envoy's 140. */
  readonly overprovisioningPercent?: number | undefined;
  /** `weighted_priority_health`: a priority's health counts endpoint weights instead of endpoints. */
  readonly weighsPriorityHealth?: boolean;
}

/** @see envoy.config.endpoint.v3.LocalityLbEndpoints */
export interface LocalityEndpoints {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
  readonly priority: number;
  /** 0 when unset. */
  readonly weight: number;
  readonly endpoints: readonly EndpointPlan[];
}

export interface EndpointPlan {
  readonly address: SocketAddress;
  /** Where it is as well, the most preferred first. */
  readonly otherAddresses?: readonly SocketAddress[] | undefined;
  readonly hostname: string;
  /** What makes it the same endpoint although its address changes; undefined is its address. */
  readonly identity?: string;
  readonly weight: number;
  readonly health: "healthy" | "degraded" | "draining" | "unhealthy";
  /** `filter_metadata`, string values only, per filter name. */
  readonly metadata: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly healthCheck?: HealthCheckConfig | undefined;
  /** The lists of values in its `envoy.lb` metadata. */
  readonly lbLists?: ReadonlyMap<string, readonly string[]> | undefined;
}

/** @see envoy.config.endpoint.v3.Endpoint.HealthCheckConfig */
export interface HealthCheckConfig {
  readonly address: SocketAddress | undefined;
  readonly port: number | undefined;
  readonly hostname: string;
  readonly isDisabled: boolean;
}
