import type { RequestTest } from "./rbac-plan.ts";

/** @see envoy.type.v3.FractionalPercent */
export interface FractionPlan {
  readonly numerator: number;
  readonly denominator: 100 | 10_000 | 1_000_000;
}

/**
 * Faults to inject, as configured on the filter or on a route.
 *
 * @see envoy.extensions.filters.http.fault.v3.HTTPFault
 */
export interface FaultPlan {
  readonly delay: DelayPlan | undefined;
  readonly abort: AbortPlan | undefined;
  /** All must match; empty matches every request. */
  readonly headers: readonly RequestTest[];
  /** `x-envoy-downstream-service-node` values this applies to; empty applies to all. */
  readonly downstreamNodes: readonly string[];
  /** Undefined is without limit. */
  readonly maxActiveFaults: number | undefined;
}

/** `header-controlled` reads `x-envoy-fault-delay-request` (milliseconds). */
export type DelayPlan =
  | { readonly kind: "fixed"; readonly delayMs: number; readonly share: FractionPlan }
  | { readonly kind: "header-controlled"; readonly share: FractionPlan };

/** `header-controlled` reads `x-envoy-fault-abort-request` (HTTP) or `x-envoy-fault-abort-grpc-request`. */
export type AbortPlan =
  | { readonly kind: "http"; readonly status: number; readonly share: FractionPlan }
  | { readonly kind: "grpc"; readonly grpcStatus: number; readonly share: FractionPlan }
  | { readonly kind: "header-controlled"; readonly share: FractionPlan };
