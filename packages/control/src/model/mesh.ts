import type { SortedMap } from "@weft/base/sorted-map";
import type { Workload } from "../registry/workload.ts";
import type { HostRule } from "./destination-rules.ts";
import type { Endpoint } from "./endpoint.ts";
import type { GatewayRole, GatewayRouting, ServerTls } from "./gateway.ts";
import type { Locality } from "./locality.ts";
import type { MeshOptions } from "./mesh-options.ts";
import type { Protocol } from "./protocol.ts";
import type { Provenance } from "./provenance.ts";
import type { AttachedRoutes, HostRouting } from "./routing.ts";
import type { Scope } from "./scope.ts";
import type { AuthorizationPolicy, JwtRule, MtlsMode } from "./security.ts";
import type { Service } from "./service.ts";
import type { Signals } from "./signals.ts";
import type { TlsSecrets } from "./tls-secret.ts";
import type { ConnectionPool } from "./traffic-policy.ts";
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

/** A workload with everything that has been decided about it. */
export interface MeshWorkload {
  readonly id: string;
  readonly name: string;
  readonly workloadName: string;
  readonly namespace: string;
  readonly identity: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined: nowhere said. */
  readonly locality?: Locality;
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
  /** Written where it is so: the application is spoken to in the HTTP version of each client. */
  readonly followsClients?: true;
  /** TLS for callers outside the mesh, and where it was written. Not in force where mutual TLS is demanded. */
  readonly ownTls?: { readonly server: ServerTls; readonly source: Provenance };
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
