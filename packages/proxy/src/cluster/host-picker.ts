import type { BalancerPlan } from "./cluster-plan.ts";
import { EdfScheduler } from "./edf-scheduler.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";

/**
 * Chooses one of a fixed, non-empty list of endpoints; made anew when the list,
 * a weight or anyone's health changes. `pick` allocates nothing.
 */
export interface HostPicker {
  readonly hosts: readonly UpstreamEndpoint[];
  pick(): UpstreamEndpoint;
}

export function createHostPicker(
  plan: BalancerPlan,
  hosts: readonly UpstreamEndpoint[],
  random: () => number,
): HostPicker {
  if (plan.kind === "random") return new RandomPicker(hosts, random);
  const isWeighted = hosts.some((host) => host.plan.weight !== hosts[0]!.plan.weight);
  if (plan.kind === "least-request") {
    return isWeighted
      ? new ScheduledPicker(hosts, random, (host) => weightOf(host) / (host.activeRequests + 1))
      : new LeastRequestPicker(hosts, random, plan.choiceCount);
  }
  return isWeighted ? new ScheduledPicker(hosts, random, weightOf) : new RotatingPicker(hosts, random);
}

function weightOf(host: UpstreamEndpoint): number {
  return Math.max(1, host.plan.weight);
}

/** Uniform, whatever the weights: Envoy's RANDOM. */
class RandomPicker implements HostPicker {
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
class RotatingPicker implements HostPicker {
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
class LeastRequestPicker implements HostPicker {
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

/** Unequal weights: by deadline; the weight is read anew at each turn, so it may depend on load. */
class ScheduledPicker implements HostPicker {
  readonly hosts: readonly UpstreamEndpoint[];
  readonly #scheduler: EdfScheduler;
  readonly #weightOf: (host: UpstreamEndpoint) => number;

  constructor(
    hosts: readonly UpstreamEndpoint[],
    random: () => number,
    weightOf: (host: UpstreamEndpoint) => number,
  ) {
    this.hosts = hosts;
    this.#weightOf = weightOf;
    this.#scheduler = new EdfScheduler(hosts.map(weightOf));
    const skipped = Math.floor(random() * hosts.length);
    for (let i = 0; i < skipped; i++) this.pick();
  }

  pick(): UpstreamEndpoint {
    const host = this.hosts[this.#scheduler.peek()]!;
    this.#scheduler.postpone(this.#weightOf(host));
    return host;
  }
}
