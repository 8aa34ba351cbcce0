import type { Locality } from "./locality.ts";

/** One healthy place that serves a service. */
export interface Endpoint {
  readonly address: string;
  /** Where else it is, in the order to be tried: set where it has more than one address. */
  readonly otherAddresses?: readonly string[];
  /** `<workload>;<namespace>;<canonical name>;<canonical revision>;<cluster>`, or "" outside the mesh. */
  readonly workload: string;
  readonly labels: Readonly<Record<string, string>>;
  /** 0 when unset. */
  readonly weight: number;
  /** Where it was written to stand; undefined: nowhere said. */
  readonly locality?: Locality;
  readonly ports: readonly EndpointPort[];
  /** Its own name below that of the service, where it was given one. */
  readonly hostname?: string;
}

export function addressesOf({ address, otherAddresses = [] }: Endpoint): readonly string[] {
  return [address, ...otherAddresses];
}

export interface EndpointPort {
  readonly servicePort: number;
  /** Where a caller connects. */
  readonly port: number;
  readonly isMutualTls: boolean;
}
