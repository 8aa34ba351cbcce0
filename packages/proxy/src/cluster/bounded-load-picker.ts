import type { Gauge } from "@weft/base/metric-registry";
import type { Hash64 } from "../hash/hash64.ts";
import { MersenneTwister } from "../hash/mersenne-twister.ts";
import type { HostPicker } from "./host-picker.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";
import type { WeightedHosts } from "./weighted-hosts.ts";

/**
 * Consistent hashing with bounded loads: an endpoint that already has more than
 * `balancePercent` of its fair share of the requests in flight is passed over
 * for another, in a random order that is the same for the same hash. When all
 * have too many, the one that exceeds its bound least is used.
 *
 * Envoy's `hash_balance_factor`; https://arxiv.org/abs/1608.01350.
 */
export class BoundedLoadPicker implements HostPicker {
  readonly hosts: readonly UpstreamEndpoint[];
  readonly #hashing: HostPicker;
  readonly #weights: readonly number[];
  readonly #weightOf: ReadonlyMap<UpstreamEndpoint, number>;
  readonly #balancePercent: number;
  readonly #active: Gauge;

  /** `active` counts the requests in flight in the whole cluster. */
  constructor(hashing: HostPicker, { hosts, weights }: WeightedHosts, balancePercent: number, active: Gauge) {
    this.hosts = hosts;
    this.#hashing = hashing;
    this.#weights = weights;
    this.#weightOf = new Map(hosts.map((host, i) => [host, weights[i]!]));
    this.#balancePercent = balancePercent;
    this.#active = active;
  }

  pick(hash: Hash64 | undefined, attempt: number): UpstreamEndpoint {
    const first = this.#hashing.pick(hash, attempt);
    let best = first;
    let bestLoad = this.#loadOf(first, this.#weightOf.get(first)!);
    if (bestLoad <= 1) return first;
    const twister = new MersenneTwister(hash?.lo ?? 0);
    const order = this.hosts.map((_, i) => i);
    for (let i = 0; i < order.length; i++) {
      const j = i + below(twister, order.length - i);
      const chosen = order[j]!;
      order[j] = order[i]!;
      order[i] = chosen;
      const host = this.hosts[chosen]!;
      if (host === first) continue;
      const load = this.#loadOf(host, this.#weights[chosen]!);
      if (load <= 1) return host;
      if (load < bestLoad) {
        best = host;
        bestLoad = load;
      }
    }
    return best;
  }

  /** Requests in flight as a share of what the endpoint may have. */
  #loadOf(host: UpstreamEndpoint, weight: number): number {
    const all = Math.floor(((this.#active.value + 1) * this.#balancePercent + 99) / 100);
    return host.activeRequests / Math.max(1, Math.ceil(all * weight));
  }
}

/** Uniform in [0, bound). */
function below(twister: MersenneTwister, bound: number): number {
  const width = Math.floor(2 ** 32 / bound);
  for (;;) {
    const value = Math.floor(twister.next() / width);
    if (value < bound) return value;
  }
}
