/** Where a Service is served, as Kubernetes writes it down. */

/** `discovery.k8s.io/v1` EndpointSlice: a part of the endpoints of the Service that its label names. */
export interface EndpointSliceSpec {
  readonly addressType: "IPv4" | "IPv6" | "FQDN";
  readonly endpoints?: readonly SliceEndpointSpec[] | null;
  readonly ports?: readonly SlicePortSpec[] | null;
}

export interface SliceEndpointSpec {
  readonly addresses: readonly string[];
  readonly conditions?: {
    /** Unknown counts as ready. */
    readonly ready?: boolean | null;
    /** As `ready`, whether or not it is about to end. */
    readonly serving?: boolean | null;
    readonly terminating?: boolean | null;
  };
  /** Of a headless Service: its name below that of the Service. */
  readonly hostname?: string;
}

export interface SlicePortSpec {
  /** That of the Service's port. */
  readonly name?: string;
  readonly port?: number | null;
  readonly protocol?: "TCP" | "UDP" | "SCTP";
}

/** `v1` Endpoints: all endpoints of the Service of its name. */
export interface EndpointsSpec {
  readonly subsets?: readonly EndpointSubsetSpec[] | null;
}

export interface EndpointSubsetSpec {
  readonly addresses?: readonly EndpointAddressSpec[] | null;
  readonly notReadyAddresses?: readonly EndpointAddressSpec[] | null;
  readonly ports?: readonly SlicePortSpec[] | null;
}

export interface EndpointAddressSpec {
  readonly ip: string;
  readonly hostname?: string;
}
