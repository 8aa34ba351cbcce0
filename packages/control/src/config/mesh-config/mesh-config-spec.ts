import type { LocalitySettingSpec } from "../destination-rule-specs.ts";
import type { TraceTagSpec } from "../telemetry-specs.ts";
import type { TelemetryProviderSpec } from "./telemetry-provider-spec.ts";

/** What is read of Istio's MeshConfig, as it is written. */
export interface MeshConfigSpec {
  readonly accessLogFile?: string;
  readonly accessLogFormat?: string;
  readonly accessLogEncoding?: "TEXT" | "JSON";
  readonly caCertificates?: readonly TrustAnchorSpec[];
  readonly connectTimeout?: string;
  readonly defaultConfig?: {
    readonly concurrency?: number | null;
    /** Variables of the environment of proxies. */
    readonly proxyMetadata?: Readonly<Record<string, string>>;
    readonly gatewayTopology?: GatewayTopologySpec;
    readonly tracing?: ProxyTracingSpec;
    /** Statistics to show and tags to keep beyond the usual: all of them are. */
    readonly proxyStatsMatcher?: object;
    readonly extraStatTags?: readonly string[];
  };
  readonly defaultProviders?: {
    readonly tracing?: readonly string[];
    readonly metrics?: readonly string[];
    readonly accessLogging?: readonly string[];
  };
  readonly enableAutoMtls?: boolean;
  readonly enableTracing?: boolean;
  readonly extensionProviders?: readonly ProviderSpec[];
  readonly h2UpgradePolicy?: "UPGRADE" | "DO_NOT_UPGRADE";
  readonly localityLbSetting?: LocalitySettingSpec;
  readonly outboundTrafficPolicy?: { readonly mode?: "REGISTRY_ONLY" | "ALLOW_ANY" };
  readonly pathNormalization?: { readonly normalization?: PathNormalization | "DEFAULT" };
  readonly rootNamespace?: string;
  readonly trustDomainAliases?: readonly string[];
}

/** Roots of other trust domains: written, or where they are served. One of both is set. */
export interface TrustAnchorSpec {
  readonly pem?: string;
  readonly spiffeBundleUrl?: string;
  readonly trustDomains: readonly string[];
}

/** How proxies trace where no provider is named; and what holds where a Telemetry leaves it open. */
export interface ProxyTracingSpec {
  /** `host:port` */
  readonly zipkin?: { readonly address: string };
  /** Percent. */
  readonly sampling?: number;
  readonly maxPathTagLength?: number;
  readonly customTags?: Readonly<Record<string, TraceTagSpec>>;
}

/** What stands before the gateways of the mesh. */
export interface GatewayTopologySpec {
  readonly numTrustedProxies?: number;
  readonly forwardClientCertDetails?:
    | "UNDEFINED"
    | "SANITIZE"
    | "FORWARD_ONLY"
    | "APPEND_FORWARD"
    | "SANITIZE_SET"
    | "ALWAYS_FORWARD_ONLY";
  readonly proxyProtocol?: object;
}

/** Each does what the one before does, and more. */
export type PathNormalization = "NONE" | "BASE" | "MERGE_SLASHES" | "DECODE_AND_MERGE_SLASHES";

/** One of its kinds is set. */
export interface ProviderSpec extends TelemetryProviderSpec {
  readonly name: string;
  readonly envoyExtAuthzHttp?: HttpAuthorizationProviderSpec;
  readonly envoyExtAuthzGrpc?: AuthorizationProviderSpec;
}

export interface AuthorizationProviderSpec {
  /** `[namespace/]hostname` */
  readonly service: string;
  readonly port: number;
  readonly timeout?: string;
  readonly failOpen?: boolean;
  readonly clearRouteCache?: boolean;
  readonly statusOnError?: string;
  readonly includeRequestBodyInCheck?: {
    readonly maxRequestBytes: number;
    readonly allowPartialMessage?: boolean;
    readonly packAsBytes?: boolean;
  };
}

export interface HttpAuthorizationProviderSpec extends AuthorizationProviderSpec {
  readonly pathPrefix?: string;
  /** What `includeRequestHeadersInCheck` replaced. */
  readonly includeHeadersInCheck?: readonly string[];
  readonly includeRequestHeadersInCheck?: readonly string[];
  readonly includeAdditionalHeadersInCheck?: Readonly<Record<string, string>>;
  readonly headersToUpstreamOnAllow?: readonly string[];
  readonly headersToDownstreamOnDeny?: readonly string[];
  readonly headersToDownstreamOnAllow?: readonly string[];
}
