import type { PathNormalization } from "../config/mesh-config/mesh-config-spec.ts";
import type { AuthorizationProvider } from "./authorization-provider.ts";
import type { LocalityPolicy } from "./locality-policy.ts";
import type { ProxySettings } from "./proxy-settings.ts";
import type { Destination } from "./routing.ts";
import type { MtlsMode } from "./security.ts";
import type { LogFormat, TelemetryProvider, TraceTag } from "./signals.ts";
import type { Http2Upgrade } from "./traffic-policy.ts";

/** What an operator has decided about the mesh, with every default filled in. */
export interface MeshOptions {
  readonly trustDomain: string;
  /** Names whose identities mean the same as those of the trust domain; sorted. */
  readonly trustDomainAliases: readonly string[];
  /** Other trust domains whose identities are verified, each under roots of its own; sorted. */
  readonly federated: readonly string[];
  readonly domainSuffix: string;
  /** Whose policies hold for the whole mesh. */
  readonly rootNamespace: string;
  readonly defaults: MeshDefaults;
}

/** What holds where no resource says otherwise. */
export interface MeshDefaults {
  readonly mtlsMode: MtlsMode;
  /** Whether calls to hosts the mesh does not know leave it, or are refused. */
  readonly outboundTrafficPolicy: "ALLOW_ANY" | "REGISTRY_ONLY";
  /** The service that takes them on instead, where there is one. */
  readonly egressProxy?: Destination | undefined;
  /** Undefined writes none. */
  readonly accessLog: { readonly path: string; readonly format: LogFormat } | undefined;
  readonly connectTimeoutMs: number;
  /** What places have to do with who is called. */
  readonly locality: LocalityPolicy;
  /** Whom CUSTOM policies may ask, by name. */
  readonly authorizationProviders: Readonly<Record<string, AuthorizationProvider>>;
  /** Whom signals can be sent to, by name in lower case. */
  readonly telemetryProviders: Readonly<Record<string, TelemetryProvider>>;
  /** Who gets them where no Telemetry says. Access logs undefined: as `accessLog` says. */
  readonly defaultProviders: {
    readonly tracing: readonly string[];
    readonly metrics: readonly string[];
    readonly accessLogging: readonly string[] | undefined;
  };
  /** What holds of traces where no Telemetry says; a length of 0 is the usual one. */
  readonly tracing: {
    readonly samplingPercent: number;
    readonly tags: readonly TraceTag[];
    readonly maxTagLength: number;
  };
  /** How proxies are started where no ProxyConfig says. */
  readonly proxy?: ProxySettings;
  /** What is done to a path before any policy reads it. */
  readonly pathNormalization: PathNormalization;
  /** Speaks mutual TLS to every endpoint that has a sidecar without being asked to. */
  readonly hasAutoMtls: boolean;
  /** Whether HTTP/1.1 requests travel as HTTP/2 where no DestinationRule says; undefined leaves it to what both ends can. */
  readonly http2Upgrade?: Http2Upgrade | undefined;
  /** What stands before the gateways of the mesh. */
  readonly gatewayTopology: GatewayTopology;
  /** Verifies servers outside the mesh, on the proxy's machine. */
  readonly systemCaFile: string;
  /** Who is told in a field of answers what decided about those that data planes make themselves. */
  readonly explainHeader: ExplainHeader;
}

/** Nobody; applications and members of the mesh that prove who they are; everybody who asks. */
export type ExplainHeader = "off" | "mesh" | "everywhere";

export interface GatewayTopology {
  /** Proxies whose word in `x-forwarded-for` is taken, counted from the gateway outward. */
  readonly numTrustedProxies: number;
  /** Connections begin with what a load balancer says of the client (PROXY protocol). */
  readonly hasProxyProtocol: boolean;
  /** What becomes of `x-forwarded-client-cert`, in Envoy's words. */
  readonly forwardClientCert:
    | "SANITIZE"
    | "FORWARD_ONLY"
    | "APPEND_FORWARD"
    | "SANITIZE_SET"
    | "ALWAYS_FORWARD_ONLY";
}
