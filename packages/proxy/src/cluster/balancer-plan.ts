import type { HashPolicy } from "../hash/hash-policy.ts";

/** How one endpoint is chosen among those that may be. */
export type BalancerPlan =
  | RoundRobinPlan
  | LeastRequestPlan
  | { readonly kind: "random" }
  | PeakEwmaPlan
  | RingHashPlan
  | MaglevPlan
  | { readonly kind: "cluster-provided" };

/** @see envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin */
export interface RoundRobinPlan {
  readonly kind: "round-robin";
  readonly slowStart?: SlowStartPlan | undefined;
}

/** @see envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest */
export interface LeastRequestPlan {
  readonly kind: "least-request";
  /** 0 looks at all endpoints: `selection_method: FULL_SCAN`. */
  readonly choiceCount: number;
  /** With unequal weights: how much requests in flight count; 0 not at all. Envoy's default is 1. */
  readonly activeRequestBias?: number;
  readonly slowStart?: SlowStartPlan | undefined;
}

/** By latency and load: `envoy.extensions.load_balancing_policies.peak_ewma.v3alpha.PeakEwma`. */
export interface PeakEwmaPlan {
  readonly kind: "peak-ewma";
  /** How fast a slow answer is forgotten. */
  readonly decayMs: number;
  /** What is expected of an endpoint nobody has asked yet. */
  readonly defaultRttMs: number;
}

/** @see envoy.extensions.load_balancing_policies.common.v3.SlowStartConfig */
export interface SlowStartPlan {
  readonly windowMs: number;
  /** Above 1 faster at the beginning, below 1 slower. */
  readonly aggression: number;
  /** The share of its weight an endpoint starts with, 0 to 1. */
  readonly minWeight: number;
}

/** What both consistent-hashing balancers can be told. */
export interface HashingPlan {
  /** Endpoints are hashed by their host name rather than by their address. */
  readonly usesHostname: boolean;
  /** `hash_balance_factor`: percent of the fair share an endpoint may have; 0 is no bound. */
  readonly balancePercent: number;
  /** What of a request is hashed; undefined leaves that to the route. */
  readonly hashPolicy: HashPolicy | undefined;
}

/** @see envoy.extensions.load_balancing_policies.ring_hash.v3.RingHash */
export interface RingHashPlan extends HashingPlan {
  readonly kind: "ring-hash";
  readonly hashFunction: "xx-hash" | "murmur2";
  readonly minimumRingSize: number;
  readonly maximumRingSize: number;
}

/** @see envoy.extensions.load_balancing_policies.maglev.v3.Maglev */
export interface MaglevPlan extends HashingPlan {
  readonly kind: "maglev";
  /** A prime number. */
  readonly tableSize: number;
}

/** Whether requests are told apart by a hash. */
export function choosesByHash(plan: BalancerPlan): plan is RingHashPlan | MaglevPlan {
  return plan.kind === "ring-hash" || plan.kind === "maglev";
}
