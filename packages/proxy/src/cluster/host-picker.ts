import type { Hash64 } from "../hash/hash64.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";

/**
 * Chooses one of a fixed, non-empty list of endpoints; made anew when the list,
 * a weight or anyone's health changes. `pick` allocates nothing.
 */
export interface HostPicker {
  readonly hosts: readonly UpstreamEndpoint[];
  /**
   * `hash` is set for balancers that choose by it; `attempt` counts from 0 the
   * times this request has asked for another endpoint than the last.
   */
  pick(hash: Hash64 | undefined, attempt: number): UpstreamEndpoint;
}

/** Uniform, whatever the weights: Envoy's RANDOM. */
export class RandomPicker implements HostPicker {
  readonly hosts: readonly UpstreamEndpoint[];
  readonly #random: () => number;

  constructor(hosts: readonly UpstreamEndpoint[], random: () => number) {
    this.hosts = hosts;
    this.#random = random;
  }

  pick(): UpstreamEndpoint {
    return this.hosts[Math.floor(this.#random() * this.hosts.length)]!;
  }
}

/** Equal weights: one after the other. Starts anywhere, so that many proxies do not all begin with the first. */
export class RotatingPicker implements HostPicker {
  readonly hosts: readonly UpstreamEndpoint[];
  #next: number;

  constructor(hosts: readonly UpstreamEndpoint[], random: () => number) {
    this.hosts = hosts;
    this.#next = Math.floor(random() * hosts.length);
  }

  pick(): UpstreamEndpoint {
    const host = this.hosts[this.#next]!;
    this.#next = this.#next + 1 === this.hosts.length ? 0 : this.#next + 1;
    return host;
  }
}

/** The least busy of `choiceCount` chosen at random (power of two choices). */
export class LeastRequestPicker implements HostPicker {
  readonly hosts: readonly UpstreamEndpoint[];
  readonly #random: () => number;
  readonly #choiceCount: number;

  constructor(hosts: readonly UpstreamEndpoint[], random: () => number, choiceCount: number) {
    this.hosts = hosts;
    this.#random = random;
    this.#choiceCount = Math.max(2, choiceCount);
  }

  pick(): UpstreamEndpoint {
    const { hosts } = this;
    let best = hosts[Math.floor(this.#random() * hosts.length)]!;
    for (let i = 1; i < this.#choiceCount; i++) {
      const other = hosts[Math.floor(this.#random() * hosts.length)]!;
      if (other.activeRequests < best.activeRequests) best = other;
    }
    return best;
  }
}

/** The least busy of all; among equals any, each as likely as the others. */
export class FullScanPicker implements HostPicker {
  readonly hosts: readonly UpstreamEndpoint[];
  readonly #random: () => number;

  constructor(hosts: readonly UpstreamEndpoint[], random: () => number) {
    this.hosts = hosts;
    this.#random = random;
  }

  pick(): UpstreamEndpoint {
    const { hosts } = this;
    let best = hosts[0]!;
    let equals = 1;
    for (let i = 1; i < hosts.length; i++) {
      const other = hosts[i]!;
      if (other.activeRequests < best.activeRequests) {
        best = other;
        equals = 1;
      } else if (other.activeRequests === best.activeRequests) {
        equals += 1;
        if (this.#random() * equals < 1) best = other;
      }
    }
    return best;
  }
}
