import type { UpstreamEndpoint } from "./upstream-endpoint.ts";

/** The endpoints of one locality at one priority. */
export interface LocalityGroup {
  readonly priority: number;
  /** 0 when unset. */
  readonly weight: number;
  readonly locality: Locality;
  readonly hosts: readonly UpstreamEndpoint[];
}

/** @see envoy.config.core.v3.Locality */
export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

/** The order in which Envoy keeps localities. */
export function compareLocalities(a: Locality, b: Locality): number {
  return compare(a.region, b.region) || compare(a.zone, b.zone) || compare(a.subZone, b.subZone);
}

export function isSameLocality(a: Locality, b: Locality): boolean {
  return a.region === b.region && a.zone === b.zone && a.subZone === b.subZone;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
