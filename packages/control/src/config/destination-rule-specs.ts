/** The spec of Istio's DestinationRule as it is written. */

export interface DestinationRuleSpec {
  readonly host: string;
  /** The callers of its namespace that it is for; undefined: all that see it. */
  readonly workloadSelector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  readonly exportTo?: readonly string[];
  readonly trafficPolicy?: TrafficPolicySpec;
  readonly subsets?: readonly SubsetSpec[];
}

export interface SubsetSpec {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly trafficPolicy?: TrafficPolicySpec;
}

export interface PortPolicySpec {
  readonly connectionPool?: ConnectionPoolSpec;
  readonly loadBalancer?: LoadBalancerSpec;
  readonly outlierDetection?: OutlierDetectionSpec;
  readonly tls?: ClientTlsSpec;
}

export interface LoadBalancerSpec {
  readonly simple?: string;
  readonly consistentHash?: ConsistentHashSpec;
  readonly warmup?: {
    readonly duration: string;
    /** Percent of the full share that a new endpoint starts with. */
    readonly minimumPercent?: number;
    readonly aggression?: number;
  };
  /** What `warmup` replaced. */
  readonly warmupDurationSecs?: string;
  readonly localityLbSetting?: LocalitySettingSpec;
  readonly zoneAwareLbSetting?: Omit<LocalitySettingSpec, "distribute">;
}

/** What the places of callers and endpoints have to do with who is called. */
export interface LocalitySettingSpec {
  /** Null and absent are yes. */
  readonly enabled?: boolean | null;
  readonly distribute?: readonly { readonly from?: string; readonly to?: Readonly<Record<string, number>> }[];
  readonly failover?: readonly { readonly from?: string; readonly to?: string }[];
  /** `label` or `label=value`. */
  readonly failoverPriority?: readonly string[];
}

export interface ConsistentHashSpec {
  readonly httpHeaderName?: string;
  readonly httpCookie?: {
    readonly name: string;
    readonly path?: string;
    readonly ttl?: string;
    readonly attributes?: readonly { readonly name: string; readonly value?: string }[];
  };
  readonly useSourceIp?: boolean;
  readonly httpQueryParameterName?: string;
  readonly ringHash?: { readonly minimumRingSize?: number };
  readonly maglev?: { readonly tableSize?: number };
  /** What `ringHash.minimumRingSize` replaced. */
  readonly minimumRingSize?: number;
}

export interface TrafficPolicySpec extends PortPolicySpec {
  readonly portLevelSettings?: readonly (PortPolicySpec & { readonly port?: { readonly number?: number } })[];
  readonly retryBudget?: { readonly percent?: number; readonly minRetryConcurrency?: number };
  readonly proxyProtocol?: { readonly version?: "V1" | "V2" };
  readonly tunnel?: { readonly protocol?: string; readonly targetHost: string; readonly targetPort: number };
}

export interface ConnectionPoolSpec {
  readonly tcp?: {
    readonly maxConnections?: number;
    readonly connectTimeout?: string;
    readonly tcpKeepalive?: { readonly probes?: number; readonly time?: string; readonly interval?: string };
    readonly idleTimeout?: string;
    readonly maxConnectionDuration?: string;
  };
  readonly http?: {
    readonly http1MaxPendingRequests?: number;
    readonly http2MaxRequests?: number;
    readonly maxRequestsPerConnection?: number;
    readonly maxRetries?: number;
    readonly idleTimeout?: string;
    readonly h2UpgradePolicy?: string;
    readonly useClientProtocol?: boolean;
    readonly maxConcurrentStreams?: number;
    readonly http2KeepAlive?: { readonly interval?: string; readonly timeout?: string };
  };
}

export interface OutlierDetectionSpec {
  readonly consecutive5xxErrors?: number;
  readonly consecutiveGatewayErrors?: number;
  readonly consecutiveLocalOriginFailures?: number;
  readonly splitExternalLocalOriginErrors?: boolean;
  readonly outlierDetectionHttpErrorCodes?: readonly number[];
  readonly interval?: string;
  readonly baseEjectionTime?: string;
  readonly maxEjectionPercent?: number;
  readonly minHealthPercent?: number;
}

export interface ClientTlsSpec {
  readonly mode?: "DISABLE" | "SIMPLE" | "MUTUAL" | "ISTIO_MUTUAL";
  readonly sni?: string;
  readonly subjectAltNames?: readonly string[];
  readonly caCertificates?: string;
  readonly caCrl?: string;
  readonly clientCertificate?: string;
  /** A Secret of a gateway's own namespace; sidecars have none. */
  readonly credentialName?: string;
  readonly privateKey?: string;
  readonly insecureSkipVerify?: boolean;
}
