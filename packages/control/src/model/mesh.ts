import type { SortedMap } from "@weft/base/sorted-map";
import type { PathNormalization } from "../config/mesh-config/mesh-config-spec.ts";
import type { Workload } from "../registry/workload.ts";
import type { AuthorizationProvider } from "./authorization-provider.ts";
import type { HostRule } from "./destination-rules.ts";
import type { GatewayRole, GatewayRouting } from "./gateway.ts";
import type { AttachedRoutes, Destination, HostRouting } from "./routing.ts";
import type { Scope } from "./scope.ts";
import type { AuthorizationPolicy, JwtRule, MtlsMode } from "./security.ts";
import type { LogFormat, Signals, TelemetryProvider, TraceTag } from "./signals.ts";
import type { TlsSecrets } from "./tls-secret.ts";
import type { ConnectionPool, TrafficPolicy } from "./traffic-policy.ts";
import type { WorkloadTemplate } from "./workload-groups.ts";

/**
 * The mesh as it should be, as plain immutable data: what translation reads and
 * nothing else. Knows neither YAML nor xDS. Every map is in order of its keys,
 * so equal inputs give equal meshes whatever order they arrived in.
 */
export interface Mesh {
  readonly options: MeshOptions;
  /**
   * By hostname, e.g. `reviews.default.svc.cluster.local`. Where a host is another
   * service to the proxies of other namespaces, the further ones have longer keys,
   * and `viewOf` says which is whose.
   */
  readonly services: ReadonlyMap<string, Service>;
  /** By the key of the service they serve; apart from it, because they change far more often. */
  readonly endpoints: SortedMap<readonly Endpoint[]>;
  /** By the host a VirtualService names, which may be a wildcard; further ones for it as with services. */
  readonly routing: ReadonlyMap<string, HostRouting>;
  /** DestinationRules by `namespace/name`, where which one applies depends on who calls; else none, and services hold it all. */
  readonly rules: ReadonlyMap<string, HostRule>;
  /** By hostname of the service that routes of the Gateway API are attached to. */
  readonly attached: ReadonlyMap<string, AttachedRoutes>;
  /** What Sidecars let their proxies call, by `namespace/name`. */
  readonly scopes: ReadonlyMap<string, Scope>;
  /** By `namespace/name` of a gateway: what VirtualServices say to it. */
  readonly gatewayRouting: ReadonlyMap<string, readonly GatewayRouting[]>;
  /** By workload id. */
  readonly workloads: SortedMap<MeshWorkload>;
  /** What gateways of a namespace may be given of its certificates. */
  readonly secrets: TlsSecrets;
}

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
  /** What is done to a path before any policy reads it. */
  readonly pathNormalization: PathNormalization;
  /** Speaks mutual TLS to every endpoint that has a sidecar without being asked to. */
  readonly hasAutoMtls: boolean;
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

/** Where something in the mesh was written. */
export interface Provenance {
  /** `/apis/networking.istio.io/v1/namespaces/default/virtual-service/reviews` */
  readonly config: string;
  /** `file:line:column` */
  readonly origin: string;
}

export type Protocol = Workload["ports"][number]["protocol"];

export interface Service {
  readonly hostname: string;
  readonly name: string;
  readonly namespace: string;
  /** Namespaces whose proxies see it, where those are not all. */
  readonly visibleIn?: readonly string[];
  readonly isExternal: boolean;
  /** How endpoints are found: from the mesh, by DNS (all addresses, or one), or the address the caller chose. */
  readonly resolution: "endpoints" | "dns" | "dns-single" | "passthrough";
  readonly isHeadless: boolean;
  /** Headless only, where callers choose the endpoint: every endpoint speaks mutual TLS. */
  readonly isMutualTls: boolean;
  /** Virtual or written addresses by which callers reach it; empty when callers use its name only. */
  readonly addresses: readonly string[];
  readonly ports: readonly ServicePort[];
  /** Names an endpoint of it may prove by its certificate: SPIFFE IDs, sorted. */
  readonly identities: readonly string[];
  /** Written where it is so: a client keeps its endpoint, unless a policy says otherwise. */
  readonly hasAffinity?: true;
  /** By the DestinationRule that is for callers of every namespace. */
  readonly policy: TrafficPolicy | undefined;
  readonly subsets: readonly Subset[];
  /** Undefined when it exists by registration alone. */
  readonly source: Provenance | undefined;
  readonly destinationRule: Provenance | undefined;
}

export interface ServicePort {
  readonly number: number;
  readonly name: string;
  readonly protocol: Protocol;
}

export interface Subset {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly policy: TrafficPolicy | undefined;
  readonly source: Provenance;
}

/** One healthy place that serves a service. */
export interface Endpoint {
  readonly address: string;
  /** `<workload>;<namespace>;<canonical name>;<canonical revision>;<cluster>`, or "" outside the mesh. */
  readonly workload: string;
  readonly labels: Readonly<Record<string, string>>;
  /** 0 when unset. */
  readonly weight: number;
  /** Where it was written to stand; undefined: nowhere said. */
  readonly locality?: Locality;
  readonly ports: readonly EndpointPort[];
}

export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

export interface EndpointPort {
  readonly servicePort: number;
  /** Where a caller connects. */
  readonly port: number;
  readonly isMutualTls: boolean;
}

/** A workload with everything that has been decided about it. */
export interface MeshWorkload {
  readonly id: string;
  readonly name: string;
  readonly workloadName: string;
  readonly namespace: string;
  readonly identity: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly addresses: readonly string[];
  readonly interception: Workload["interception"];
  /** The scope that holds for its proxies, where one does. */
  readonly scope?: string;
  readonly inbound: readonly InboundPort[];
  /** For inbound ports that nobody declared. */
  readonly mtlsMode: MtlsMode;
  /** In order of their issuers. */
  readonly jwtRules: readonly JwtRule[];
  /** In order of namespace and name. Where any of them allows, what none allows is denied. */
  readonly policies: readonly AuthorizationPolicy[];
  readonly upstreams: readonly Upstream[];
  /** What its proxies tell, where a Telemetry says so. */
  readonly signals?: Signals;
  /** Of a gateway: what it serves, in place of an application. */
  readonly gateway?: GatewayRole;
  /** Of a member of a WorkloadGroup: what its agent must know. */
  readonly template?: WorkloadTemplate;
}

export interface InboundPort {
  /** The application's, or that of a Sidecar's ingress listener. */
  readonly port: number;
  /** Where peers connect with interception `NONE`; otherwise equal to `port`. */
  readonly listenPort: number;
  readonly protocol: Protocol;
  readonly mtlsMode: MtlsMode;
  /** Where the application is, where a Sidecar says so; else at this port on loopback. */
  readonly endpoint?: InboundEndpoint;
  /** The address of a listener of its own, to which nothing is captured. */
  readonly bind?: string;
  /** Limits of the connections to the application, where a Sidecar has some. */
  readonly pool?: ConnectionPool;
  /** The service it stands for, when there is one: first by hostname. */
  readonly service:
    | { readonly hostname: string; readonly name: string; readonly namespace: string }
    | undefined;
}

export type InboundEndpoint = { readonly address: string; readonly port: number } | { readonly path: string };

export interface Upstream {
  readonly hostname: string;
  readonly port: number;
  readonly bindAddress: string;
  readonly bindPort: number;
}
