import { MeshError } from "@weft/base/errors";
import { keepLatest } from "@weft/base/keep-latest";
import type { VirtualAddressStore } from "../store/address-store.ts";

const prefix = [240, 240] as const;
/** 240.240.0.0/16 without its first and last address. */
const capacity = 2 ** 16 - 2;

/**
 * Gives hostnames virtual addresses from 240.240.0.0/16. A hostname keeps its
 * address for good: clients hold on to what DNS told them.
 */
export class VirtualAddresses {
  readonly #store: VirtualAddressStore;
  readonly #byHostname: Map<string, string>;
  readonly #taken: Set<string>;
  /** Of names all of which have an address, which they keep: the very same map for the very same list. */
  readonly #assigned = keepLatest(
    (hostnames: readonly string[]): ReadonlyMap<string, string> =>
      new Map(hostnames.map((hostname) => [hostname, this.#byHostname.get(hostname)!])),
  );

  constructor(store: VirtualAddressStore) {
    this.#store = store;
    this.#byHostname = new Map(store.load());
    this.#taken = new Set(this.#byHostname.values());
  }

  /** The addresses of these hostnames; new ones are stored before they are handed out. */
  assign(hostnames: readonly string[]): ReadonlyMap<string, string> {
    const missing = hostnames.filter((hostname) => !this.#byHostname.has(hostname));
    if (missing.length > 0) {
      const added = new Map(missing.map((hostname) => [hostname, this.#free(hostname)]));
      this.#store.add(added);
      for (const [hostname, address] of added) this.#byHostname.set(hostname, address);
    }
    return this.#assigned(hostnames);
  }

  /** Whether all of these hostnames have their addresses. */
  have(hostnames: readonly string[]): boolean {
    return hostnames.every((hostname) => this.#byHostname.has(hostname));
  }

  /** As `assign`, for a look at what would be: nothing is stored, and new names share one address. */
  preview(hostnames: readonly string[]): ReadonlyMap<string, string> {
    if (this.have(hostnames)) return this.#assigned(hostnames);
    return new Map(
      hostnames.map((hostname) => [hostname, this.#byHostname.get(hostname) ?? addressAt(capacity)]),
    );
  }

  /** From the hostname's own hash onward, so that two control planes mostly agree. */
  #free(hostname: string): string {
    let hash = 2166136261;
    for (let i = 0; i < hostname.length; i++) hash = Math.imul(hash ^ hostname.charCodeAt(i), 16777619);
    for (let i = 0; i < capacity; i++) {
      const address = addressAt(1 + (((hash >>> 0) + i) % capacity));
      if (this.#taken.has(address)) continue;
      this.#taken.add(address);
      return address;
    }
    throw new MeshError("all 65,534 virtual addresses are in use", { source: "internal" });
  }
}

function addressAt(index: number): string {
  return [...prefix, index >>> 8, index & 0xff].join(".");
}
