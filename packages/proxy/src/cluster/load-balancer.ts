import type { Counter } from "@weft/base/metric-registry";
import { type Hash64, randomHash, remainder } from "../hash/hash64.ts";
import { choosesByHash } from "./balancer-plan.ts";
import type { Endpoint, PickContext } from "./cluster.ts";
import type { LoadBalancerOptions } from "./load-balancer-options.ts";
import type { LocalityGroup } from "./locality-group.ts";
import { buildSlices, type Slice } from "./traffic-slices.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";

/** How often the balancer is asked again for an endpoint not tried before, as Envoy's default host selection. */
const maxAvoidAttempts = 3;

/** Combinations of excluded priorities that are kept ready; there are as many as priorities where retries go one by one. */
const maxExclusions = 32;

/**
 * Chooses a priority, a locality, an endpoint. Built for one state of the
 * cluster and replaced when that changes; choosing allocates nothing unless it
 * is by hash.
 */
export class LoadBalancer {
  readonly #groups: readonly LocalityGroup[];
  readonly #options: LoadBalancerOptions;
  readonly #slices: readonly Slice[];
  readonly #withoutPriorities = new Map<string, readonly Slice[]>();
  readonly #random: () => number;
  readonly #panics: Counter;
  readonly #choosesByHash: boolean;

  constructor(groups: readonly LocalityGroup[], options: LoadBalancerOptions) {
    this.#groups = groups;
    this.#options = options;
    this.#random = options.random;
    this.#panics = options.panics;
    this.#choosesByHash = choosesByHash(options.balancer);
    this.#slices = buildSlices(groups, options);
  }

  /** Undefined when no endpoint may be used. Endpoints to `avoid` only when there is no other. */
  pick(context: Pick<PickContext, "hash" | "avoid" | "excludedPriorities">): UpstreamEndpoint | undefined {
    const { avoid, excludedPriorities } = context;
    const hash = this.#choosesByHash ? (context.hash ?? randomHash(this.#random)) : undefined;
    const slices = excludedPriorities ? this.#slicesWithout(excludedPriorities) : this.#slices;
    let host = this.#pickOnce(slices, hash, 0);
    if (avoid === undefined) return host;
    for (let i = 1; host && i <= maxAvoidAttempts && avoid(host); i++) host = this.#pickOnce(slices, hash, i);
    return host && avoid(host) ? (anyExcept(slices, avoid) ?? host) : host;
  }

  /** As the slices, of other priorities only; of all when nothing would be left. */
  #slicesWithout(priorities: readonly number[]): readonly Slice[] {
    const key = priorities.join();
    let slices = this.#withoutPriorities.get(key);
    if (!slices) {
      slices = buildSlices(
        this.#groups.filter(({ priority }) => !priorities.includes(priority)),
        this.#options,
      );
      if (slices.length === 0) slices = this.#slices;
      if (this.#withoutPriorities.size < maxExclusions) this.#withoutPriorities.set(key, slices);
    }
    return slices;
  }

  #pickOnce(
    slices: readonly Slice[],
    hash: Hash64 | undefined,
    attempt: number,
  ): UpstreamEndpoint | undefined {
    if (slices.length === 0) return undefined;
    let slice = slices[0]!;
    if (slices.length > 1) {
      const point = hash ? remainder(hash, 100) : this.#random() * slices[slices.length - 1]!.upTo;
      for (let i = 0; point >= slice.upTo && i + 1 < slices.length; ) slice = slices[++i]!;
    }
    if (slice.isPanicking) this.#panics.value += 1;
    return slice.picker?.pick(hash, attempt);
  }
}

function anyExcept(
  slices: readonly Slice[],
  avoid: (endpoint: Endpoint) => boolean,
): UpstreamEndpoint | undefined {
  for (const slice of slices) {
    for (const host of slice.picker?.hosts ?? []) if (!avoid(host)) return host;
  }
  return undefined;
}
