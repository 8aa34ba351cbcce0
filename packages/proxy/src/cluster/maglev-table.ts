import { type Hash64, remainder } from "../hash/hash64.ts";
import { xxHash64 } from "../hash/xx-hash.ts";
import type { MaglevPlan } from "./balancer-plan.ts";
import { hashKeyOf } from "./hash-key.ts";
import type { HostPicker } from "./host-picker.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";
import type { WeightedHosts } from "./weighted-hosts.ts";

const one: Hash64 = { hi: 0, lo: 1 };
const free = 0xffffffff;

/**
 * Consistent hashing by Maglev's table: endpoints fill it in turn, each by its
 * own permutation of the places, as often as its weight asks for. Choosing is
 * one division. The table is the one Envoy builds.
 *
 * @see envoy.extensions.load_balancing_policies.maglev.v3.Maglev
 */
export class MaglevTable implements HostPicker {
  readonly hosts: readonly UpstreamEndpoint[];
  readonly minEntriesPerHost: number;
  readonly maxEntriesPerHost: number;
  /** The index in `hosts` at each place. */
  readonly #owners: Uint32Array;

  constructor({ hosts, weights }: WeightedHosts, plan: MaglevPlan) {
    this.hosts = hosts;
    const { tableSize } = plan;
    const entries = hosts
      .map((host, owner) => {
        const key = hashKeyOf(host, plan.usesHostname);
        return {
          key,
          owner,
          weight: weights[owner]!,
          next: remainder(xxHash64(key), tableSize),
          skip: remainder(xxHash64(key, one), tableSize - 1) + 1,
          due: 0,
          count: 0,
        };
      })
      .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    const heaviest = weights.reduce((a, b) => Math.max(a, b), 0);
    const owners = new Uint32Array(tableSize).fill(free);
    let filled = 0;
    for (let round = 1; filled < tableSize; round++) {
      for (const entry of entries) {
        if (filled === tableSize) break;
        if (round * entry.weight < entry.due) continue;
        entry.due += heaviest;
        while (owners[entry.next] !== free) entry.next = (entry.next + entry.skip) % tableSize;
        owners[entry.next] = entry.owner;
        entry.next = (entry.next + entry.skip) % tableSize;
        entry.count += 1;
        filled += 1;
      }
    }
    this.#owners = owners;
    this.minEntriesPerHost = entries.reduce((least, { count }) => Math.min(least, count), tableSize);
    this.maxEntriesPerHost = entries.reduce((most, { count }) => Math.max(most, count), 0);
  }

  pick(hash: Hash64 | undefined, attempt: number): UpstreamEndpoint {
    const size = this.#owners.length;
    if (!hash) return this.hosts[this.#owners[0]!]!;
    if (attempt === 0) return this.hosts[this.#owners[remainder(hash, size)]!]!;
    // Most bits change, so that the next endpoint is not the same for all keys of this one.
    const other = { hi: ~hash.hi, lo: hash.lo ^ -attempt };
    return this.hosts[this.#owners[remainder(other, size)]!]!;
  }
}
