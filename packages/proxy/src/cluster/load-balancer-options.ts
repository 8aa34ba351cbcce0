import type { Counter, Gauge } from "@weft/base/metric-registry";
import type { BalancerPlan } from "./balancer-plan.ts";
import type { ZoneAwareness } from "./zone-routing.ts";

export interface LoadBalancerOptions {
  readonly balancer: BalancerPlan;
  readonly overprovisioningPercent: number;
  /** `weighted_priority_health`: a priority's health counts endpoint weights instead of endpoints. */
  readonly weighsPriorityHealth: boolean;
  readonly panicPercent: number;
  readonly isLocalityWeighted: boolean;
  /** Given where the bootstrap names a local cluster. */
  readonly zones?: ZoneAwareness | undefined;
  readonly random: () => number;
  readonly nowMs: () => number;
  /** Counts choices made without regard to health. */
  readonly panics: Counter;
  /** The requests in flight in the whole cluster. */
  readonly activeRequests: Gauge;
  /** A gauge of this cluster, by its name in Envoy. */
  readonly gauge: (name: string) => Gauge;
}
