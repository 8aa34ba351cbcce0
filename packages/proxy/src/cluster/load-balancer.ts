import type { Counter, Gauge } from "@weft/base/metric-registry";
import { type Hash64, randomHash, remainder } from "../hash/hash64.ts";
import { type BalancerPlan, choosesByHash } from "./balancer-plan.ts";
import type { Endpoint, PickContext } from "./cluster.ts";
import type { LocalityGroup } from "./locality-group.ts";
import { buildSlices, type Slice } from "./traffic-slices.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";
import type { ZoneAwareness } from "./zone-aware-picker.ts";

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

/** How often the balancer is asked again for an endpoint not tried before, as Envoy's default host selection. */
const maxAvoidAttempts = 3;

/**
 * Chooses a priority, a locality, an endpoint. Built for one state of the
 * cluster and replaced when that changes; choosing allocates nothing unless it
 * is by hash.
 */
export class LoadBalancer {
  readonly #slices: readonly Slice[];
  readonly #random: () => number;
  readonly #panics: Counter;
  readonly #choosesByHash: boolean;

  constructor(groups: readonly LocalityGroup[], options: LoadBalancerOptions) {
    this.#random = options.random;
    this.#panics = options.panics;
    this.#choosesByHash = choosesByHash(options.balancer);
    this.#slices = buildSlices(groups, options);
  }

  /** Undefined when no endpoint may be used. Endpoints in `avoid` only when there is no other. */
  pick({ hash: sent, avoid }: Pick<PickContext, "hash" | "avoid">): UpstreamEndpoint | undefined {
    const hash = this.#choosesByHash ? (sent ?? randomHash(this.#random)) : undefined;
    let host = this.#pickOnce(hash, 0);
    if (avoid === undefined || avoid.length === 0) return host;
    for (let i = 1; host && i <= maxAvoidAttempts && avoid.includes(host); i++)
      host = this.#pickOnce(hash, i);
    return host && avoid.includes(host) ? (this.#anyExcept(avoid) ?? host) : host;
  }

  #pickOnce(hash: Hash64 | undefined, attempt: number): UpstreamEndpoint | undefined {
    const slices = this.#slices;
    if (slices.length === 0) return undefined;
    let slice = slices[0]!;
    if (slices.length > 1) {
      const point = hash ? remainder(hash, 100) : this.#random() * slices[slices.length - 1]!.upTo;
      for (let i = 0; point >= slice.upTo && i + 1 < slices.length; ) slice = slices[++i]!;
    }
    if (slice.isPanicking) this.#panics.value += 1;
    return slice.picker?.pick(hash, attempt);
  }

  #anyExcept(avoid: readonly Endpoint[]): UpstreamEndpoint | undefined {
    for (const slice of this.#slices) {
      for (const host of slice.picker?.hosts ?? []) if (!avoid.includes(host)) return host;
    }
    return undefined;
  }
}
