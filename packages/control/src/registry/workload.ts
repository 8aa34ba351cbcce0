/**
 * One running instance of an application, as it registered: the control
 * plane's only notion of "where". Immutable; a change replaces it.
 */
export interface Workload {
  /** `<name>.<namespace>`: unique in the mesh. */
  readonly id: string;
  /** Instance name, e.g. `reviews-v1-7f3a9c`. */
  readonly name: string;
  /** What the instances of one deployment share, e.g. `reviews-v1`. */
  readonly workloadName: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** The service this instance serves by registration; YAML `Service` selectors may add others. "" for a pure client. */
  readonly service: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly addresses: readonly string[];
  readonly ports: readonly WorkloadPort[];
  /** `REDIRECT`: traffic is captured by rules; `NONE`: peers connect to `listenPort`, the application to `upstreams`. */
  readonly interception: "REDIRECT" | "NONE";
  readonly upstreams: readonly WorkloadUpstream[];
  readonly isHealthy: boolean;
  /** It has no application: its proxy serves what Gateways say. */
  readonly isGateway?: boolean;
  /** True when a sidecar stands before it, so that peers speak mutual TLS to it. */
  readonly hasSidecar: boolean;
  /** The WorkloadGroup it says it belongs to. */
  readonly group?: string;
  /** Of a member of a group: its port by the name of a service's port. */
  readonly namedPorts?: Readonly<Record<string, number>>;
  /** Share of calls among the endpoints of a service; unset is 1. */
  readonly weight?: number;
  readonly locality?: WorkloadLocality;
}

export interface WorkloadLocality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

export interface WorkloadPort {
  /** The application's port, and the service's. */
  readonly port: number;
  readonly protocol: "http" | "http2" | "grpc" | "tcp" | "tls";
  readonly name: string;
  /** Where peers connect when interception is `NONE`; otherwise equal to `port`. */
  readonly listenPort: number;
}

/** An explicit local listener for one service, as Consul Connect's users know it. */
export interface WorkloadUpstream {
  readonly host: string;
  readonly port: number;
  readonly bindAddress: string;
  readonly bindPort: number;
}
