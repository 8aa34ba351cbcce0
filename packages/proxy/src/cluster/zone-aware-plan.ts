/** @see envoy.extensions.load_balancing_policies.common.v3.LocalityLbConfig.ZoneAwareLbConfig */
export interface ZoneAwarePlan {
  /** Percent of the requests that are routed by zone. */
  readonly routingPercent: number;
  /** With fewer healthy endpoints zones do not count. */
  readonly minClusterSize: number;
  /** A priority in panic answers nothing, rather than use unhealthy endpoints. */
  readonly failsOnPanic: boolean;
  /** Everything stays in the own zone as long as it has one healthy endpoint. */
  readonly forcesLocal: boolean;
}

/** Envoy's defaults, in force as soon as the bootstrap names a local cluster. */
export const defaultZoneAware: ZoneAwarePlan = {
  routingPercent: 100,
  minClusterSize: 6,
  failsOnPanic: false,
  forcesLocal: false,
};
