/**
 * The specs of the supported kinds as they are written. Only fields that Weft
 * reads are named here: `support.ts` reports the others before anyone gets to
 * see the value.
 */

import type { ServerTlsSpec } from "./gateway-specs.ts";

export interface StringMatch {
  readonly exact?: string;
  readonly prefix?: string;
  readonly regex?: string;
}

export interface ServiceSpec {
  readonly selector?: Readonly<Record<string, string>>;
  readonly clusterIP?: string;
  readonly sessionAffinity?: "None" | "ClientIP";
  readonly trafficDistribution?: string;
  readonly type?: string;
  /** For the type ExternalName. */
  readonly externalName?: string;
  readonly ports?: readonly ServicePortSpec[];
}

export interface ServicePortSpec {
  readonly name?: string;
  readonly port: number;
  readonly targetPort?: number | string;
  readonly appProtocol?: string;
  readonly protocol?: "TCP" | "UDP" | "SCTP";
}

export interface VirtualServiceSpec {
  readonly hosts?: readonly string[];
  readonly exportTo?: readonly string[];
  readonly gateways?: readonly string[];
  readonly http?: readonly HttpRouteSpec[];
  readonly tcp?: readonly TcpRouteSpec[];
  readonly tls?: readonly TlsRouteSpec[];
}

export interface HttpRouteSpec {
  readonly name?: string;
  readonly match?: readonly HttpMatchSpec[];
  readonly route?: readonly RouteDestinationSpec[];
  /** The VirtualService whose rules stand here; of this namespace where none is named. */
  readonly delegate?: { readonly name?: string; readonly namespace?: string };
  readonly redirect?: RedirectSpec;
  readonly directResponse?: DirectResponseSpec;
  readonly rewrite?: RewriteSpec;
  readonly timeout?: string;
  readonly retries?: RetriesSpec;
  readonly fault?: FaultSpec;
  readonly headers?: HeadersSpec;
  readonly mirror?: DestinationSpec;
  readonly mirrors?: readonly MirrorSpec[];
  readonly mirrorPercentage?: PercentSpec;
  readonly mirrorPercent?: number;
  /** The older spelling of `mirrorPercent`. */
  readonly mirror_percent?: number;
  readonly corsPolicy?: CorsSpec;
}

export interface PercentSpec {
  readonly value?: number;
}

export interface MirrorSpec {
  readonly destination: DestinationSpec;
  readonly percentage?: PercentSpec;
}

export interface CorsSpec {
  readonly allowOrigins?: readonly StringMatch[];
  /** What `allowOrigins` replaced: exact origins. */
  readonly allowOrigin?: readonly string[];
  readonly allowMethods?: readonly string[];
  readonly allowHeaders?: readonly string[];
  readonly exposeHeaders?: readonly string[];
  readonly maxAge?: string;
  readonly allowCredentials?: boolean;
  readonly unmatchedPreflights?: "UNSPECIFIED" | "FORWARD" | "IGNORE";
}

export interface HttpMatchSpec {
  readonly name?: string;
  readonly uri?: StringMatch;
  readonly scheme?: StringMatch;
  readonly method?: StringMatch;
  readonly authority?: StringMatch;
  readonly headers?: Readonly<Record<string, StringMatch>>;
  readonly withoutHeaders?: Readonly<Record<string, StringMatch>>;
  readonly queryParams?: Readonly<Record<string, StringMatch>>;
  readonly port?: number;
  readonly sourceLabels?: Readonly<Record<string, string>>;
  readonly sourceNamespace?: string;
  readonly gateways?: readonly string[];
  readonly ignoreUriCase?: boolean;
}

export interface DestinationSpec {
  readonly host: string;
  readonly subset?: string;
  readonly port?: { readonly number?: number };
}

export interface RouteDestinationSpec {
  readonly destination: DestinationSpec;
  readonly weight?: number;
  readonly headers?: HeadersSpec;
}

export interface RedirectSpec {
  readonly uri?: string;
  readonly prefixRewrite?: string;
  readonly authority?: string;
  readonly port?: number;
  readonly derivePort?: "FROM_PROTOCOL_DEFAULT" | "FROM_REQUEST_PORT";
  readonly scheme?: string;
  readonly redirectCode?: number;
}

export interface DirectResponseSpec {
  readonly status: number;
  readonly body?: { readonly string?: string; readonly bytes?: string };
}

export interface RewriteSpec {
  readonly uri?: string;
  readonly authority?: string;
  readonly uriRegexRewrite?: { readonly match?: string; readonly rewrite?: string };
}

export interface RetriesSpec {
  readonly attempts?: number;
  readonly perTryTimeout?: string;
  readonly retryOn?: string;
  readonly retryIgnorePreviousHosts?: boolean;
  readonly retryRemoteLocalities?: boolean;
  readonly backoff?: string;
}

export interface FaultSpec {
  readonly delay?: {
    readonly fixedDelay?: string;
    readonly percentage?: PercentSpec;
    readonly percent?: number;
  };
  readonly abort?: {
    readonly httpStatus?: number;
    readonly grpcStatus?: string;
    readonly percentage?: PercentSpec;
  };
}

export interface HeaderOperationsSpec {
  readonly set?: Readonly<Record<string, string>>;
  readonly add?: Readonly<Record<string, string>>;
  readonly remove?: readonly string[];
}

export interface HeadersSpec {
  readonly request?: HeaderOperationsSpec;
  readonly response?: HeaderOperationsSpec;
}

export interface TcpRouteSpec {
  readonly match?: readonly {
    /** Addresses or ranges. */
    readonly destinationSubnets?: readonly string[];
    readonly sourceSubnet?: string;
    readonly port?: number;
    readonly sourceLabels?: Readonly<Record<string, string>>;
    readonly sourceNamespace?: string;
    readonly gateways?: readonly string[];
  }[];
  readonly route?: readonly { readonly destination: DestinationSpec; readonly weight?: number }[];
}

export interface TlsRouteSpec {
  readonly match: readonly {
    readonly sniHosts: readonly string[];
    readonly destinationSubnets?: readonly string[];
    readonly port?: number;
    readonly sourceLabels?: Readonly<Record<string, string>>;
    readonly sourceNamespace?: string;
    readonly gateways?: readonly string[];
  }[];
  readonly route?: TcpRouteSpec["route"];
}

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
    readonly maxConcurrentStreams?: number;
    readonly http2KeepAlive?: { readonly interval?: string; readonly timeout?: string };
  };
}

export interface OutlierDetectionSpec {
  readonly consecutive5xxErrors?: number;
  readonly consecutiveGatewayErrors?: number;
  readonly consecutiveLocalOriginFailures?: number;
  readonly splitExternalLocalOriginErrors?: boolean;
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

export interface ServiceEntrySpec {
  readonly hosts: readonly string[];
  readonly exportTo?: readonly string[];
  readonly addresses?: readonly string[];
  readonly ports?: readonly {
    readonly number: number;
    readonly name: string;
    readonly protocol?: string;
    readonly targetPort?: number;
  }[];
  readonly location?: "MESH_EXTERNAL" | "MESH_INTERNAL";
  readonly resolution?: "NONE" | "STATIC" | "DNS" | "DNS_ROUND_ROBIN";
  readonly endpoints?: readonly WorkloadEntrySpec[];
  readonly workloadSelector?: { readonly labels?: Readonly<Record<string, string>> };
  readonly subjectAltNames?: readonly string[];
}

/** A place that serves something, written down: alone, or among a ServiceEntry's endpoints. */
export interface WorkloadEntrySpec {
  readonly address?: string;
  readonly ports?: Readonly<Record<string, number>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly weight?: number;
  readonly serviceAccount?: string;
  /** `region/zone/subzone`, the last two optional. */
  readonly locality?: string;
}

export interface WorkloadGroupSpec {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
  readonly template: Omit<WorkloadEntrySpec, "address">;
  readonly probe?: ProbeSpec;
}

/** How an agent finds out whether its application is ready. */
export interface ProbeSpec {
  readonly initialDelaySeconds?: number;
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly successThreshold?: number;
  readonly failureThreshold?: number;
  readonly httpGet?: {
    readonly host?: string;
    readonly port: number;
    readonly path?: string;
    readonly scheme?: string;
    readonly httpHeaders?: readonly { readonly name?: string; readonly value?: string }[];
  };
  readonly tcpSocket?: { readonly host?: string; readonly port: number };
  readonly exec?: { readonly command: readonly string[] };
  readonly grpc?: { readonly port?: number; readonly service?: string };
}

export interface SidecarSpec {
  readonly workloadSelector?: { readonly labels?: Readonly<Record<string, string>> };
  readonly ingress?: readonly IngressListenerSpec[];
  readonly egress?: readonly EgressListenerSpec[];
  readonly outboundTrafficPolicy?: {
    readonly mode?: "ALLOW_ANY" | "REGISTRY_ONLY";
    readonly egressProxy?: DestinationSpec;
  };
  readonly inboundConnectionPool?: ConnectionPoolSpec;
}

/** How the proxies of a namespace, or of workloads with these labels, are started. */
export interface ProxyConfigSpec {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  readonly concurrency?: number | null;
  readonly environmentVariables?: Readonly<Record<string, string>>;
}

export interface SidecarPortSpec {
  readonly number?: number;
  readonly protocol?: string;
  readonly name?: string;
}

export interface IngressListenerSpec {
  readonly port: SidecarPortSpec;
  readonly bind?: string;
  readonly captureMode?: CaptureMode;
  /** `127.0.0.1:PORT`, `0.0.0.0:PORT`, `[::1]:PORT`, `[::]:PORT`, `:PORT` or `unix:///PATH`. */
  readonly defaultEndpoint?: string;
  readonly connectionPool?: ConnectionPoolSpec;
  /** TLS for callers outside the mesh. */
  readonly tls?: ServerTlsSpec;
}

export interface EgressListenerSpec {
  readonly port?: SidecarPortSpec;
  readonly bind?: string;
  readonly captureMode?: CaptureMode;
  /** `namespace/host`, each with wildcards. */
  readonly hosts?: readonly string[];
}

export type CaptureMode = "DEFAULT" | "IPTABLES" | "NONE";

export type MtlsMode = "UNSET" | "DISABLE" | "PERMISSIVE" | "STRICT";

export interface PeerAuthenticationSpec {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  readonly mtls?: { readonly mode?: MtlsMode };
  readonly portLevelMtls?: Readonly<Record<string, { readonly mode?: MtlsMode }>>;
}

/** One resource that a policy is attached to. */
export interface TargetReferenceSpec {
  readonly group?: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

/** Which workloads a policy is for: all of its namespace where nothing is said. */
export interface PolicyTargetSpec {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  /** What `targetRefs` replaced. */
  readonly targetRef?: TargetReferenceSpec;
  readonly targetRefs?: readonly TargetReferenceSpec[];
}

export interface RequestAuthenticationSpec extends PolicyTargetSpec {
  readonly jwtRules?: readonly JwtRuleSpec[];
}

export interface JwtRuleSpec {
  readonly issuer?: string;
  readonly audiences?: readonly string[];
  readonly jwks?: string;
  readonly jwksUri?: string;
  /** The older spelling of `jwksUri`. */
  readonly jwks_uri?: string;
  readonly fromHeaders?: readonly { readonly name: string; readonly prefix?: string }[];
  readonly fromParams?: readonly string[];
  readonly fromCookies?: readonly string[];
  readonly outputPayloadToHeader?: string;
  readonly outputClaimToHeaders?: readonly { readonly header: string; readonly claim: string }[];
  readonly forwardOriginalToken?: boolean;
  readonly timeout?: string;
  readonly spaceDelimitedClaims?: readonly string[];
}

export interface AuthorizationPolicySpec extends PolicyTargetSpec {
  readonly action?: "ALLOW" | "DENY" | "AUDIT" | "CUSTOM";
  readonly provider?: { readonly name?: string };
  readonly rules?: readonly AuthorizationRuleSpec[];
}

export interface AuthorizationRuleSpec {
  readonly from?: readonly { readonly source?: SourceSpec }[];
  readonly to?: readonly { readonly operation?: OperationSpec }[];
  readonly when?: readonly ConditionSpec[];
}

export interface SourceSpec {
  readonly principals?: readonly string[];
  readonly notPrincipals?: readonly string[];
  /** End users, `issuer/subject`. */
  readonly requestPrincipals?: readonly string[];
  readonly notRequestPrincipals?: readonly string[];
  readonly namespaces?: readonly string[];
  readonly notNamespaces?: readonly string[];
  readonly serviceAccounts?: readonly string[];
  readonly notServiceAccounts?: readonly string[];
  readonly trustDomains?: readonly string[];
  readonly notTrustDomains?: readonly string[];
  readonly ipBlocks?: readonly string[];
  readonly notIpBlocks?: readonly string[];
  readonly remoteIpBlocks?: readonly string[];
  readonly notRemoteIpBlocks?: readonly string[];
}

export interface OperationSpec {
  readonly hosts?: readonly string[];
  readonly notHosts?: readonly string[];
  readonly ports?: readonly string[];
  readonly notPorts?: readonly string[];
  readonly methods?: readonly string[];
  readonly notMethods?: readonly string[];
  readonly paths?: readonly string[];
  readonly notPaths?: readonly string[];
}

export interface ConditionSpec {
  readonly key: string;
  readonly values?: readonly string[];
  readonly notValues?: readonly string[];
}

/** As spire-controller-manager's. */
export interface FederatedTrustDomainSpec {
  readonly trustDomain: string;
  readonly bundleEndpointURL: string;
  readonly bundleEndpointProfile: {
    readonly type: "https_spiffe" | "https_web";
    readonly endpointSPIFFEID?: string;
  };
  /** A bundle document to begin with. */
  readonly trustDomainBundle?: string;
}
