import { compareHashes, type Hash64 } from "../hash/hash64.ts";
import { murmurHash64 } from "../hash/murmur-hash.ts";
import { xxHash64 } from "../hash/xx-hash.ts";
import type { RingHashPlan } from "./balancer-plan.ts";
import { hashKeyOf } from "./hash-key.ts";
import type { HostPicker } from "./host-picker.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";
import type { WeightedHosts } from "./weighted-hosts.ts";

/**
 * Consistent hashing on a ring: each endpoint stands at as many places as its
 * weight asks for, and a request goes to the first one at or after its own hash.
 *
 * Places, their number and the search are Envoy's, so that both proxies choose
 * the same endpoint for the same key.
 *
 * @see envoy.extensions.load_balancing_policies.ring_hash.v3.RingHash
 */
export class HashRing implements HostPicker {
  readonly hosts: readonly UpstreamEndpoint[];
  readonly size: number;
  readonly minHashesPerHost: number;
  readonly maxHashesPerHost: number;
  readonly #his: Int32Array;
  readonly #los: Int32Array;
  /** The index in `hosts` at each place. */
  readonly #owners: Uint32Array;

  constructor({ hosts, weights }: WeightedHosts, plan: RingHashPlan) {
    this.hosts = hosts;
    const hash = plan.hashFunction === "murmur2" ? murmurHash64 : xxHash64;
    const least = weights.reduce((a, b) => Math.min(a, b), 1);
    // The lightest endpoint gets a whole number of places, unless the ring would grow too large.
    const scale = Math.min(Math.ceil(least * plan.minimumRingSize) / least, plan.maximumRingSize);
    const his: number[] = [];
    const los: number[] = [];
    const owners: number[] = [];
    let target = 0;
    let min = Math.ceil(scale);
    let max = 0;
    hosts.forEach((host, owner) => {
      const key = `${hashKeyOf(host, plan.usesHostname)}_`;
      target += scale * weights[owner]!;
      let count = 0;
      for (; owners.length < target; count++) {
        const { hi, lo } = hash(key + count);
        his.push(hi);
        los.push(lo);
        owners.push(owner);
      }
      min = Math.min(min, count);
      max = Math.max(max, count);
    });
    const order = Uint32Array.from(owners, (_, i) => i).sort((a, b) =>
      compareHashes(his[a]!, los[a]!, his[b]!, los[b]!),
    );
    this.#his = Int32Array.from(order, (i) => his[i]!);
    this.#los = Int32Array.from(order, (i) => los[i]!);
    this.#owners = Uint32Array.from(order, (i) => owners[i]!);
    this.size = Math.ceil(scale);
    this.minHashesPerHost = min;
    this.maxHashesPerHost = max;
  }

  pick(hash: Hash64 | undefined, attempt: number): UpstreamEndpoint {
    const at = hash ? this.#placeOf(hash) : 0;
    return this.hosts[this.#owners[(at + attempt) % this.#owners.length]!]!;
  }

  /** The first place whose hash is not below; the ring's end leads to its beginning. */
  #placeOf({ hi, lo }: Hash64): number {
    let low = 0;
    let high = this.#owners.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareHashes(this.#his[middle]!, this.#los[middle]!, hi, lo) < 0) low = middle + 1;
      else high = middle;
    }
    return low === this.#owners.length ? 0 : low;
  }
}
