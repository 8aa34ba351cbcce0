import type { Counter } from "@weft/base/metric-registry";
import type { Endpoint } from "./cluster.ts";
import type { BalancerPlan } from "./cluster-plan.ts";
import { EdfScheduler } from "./edf-scheduler.ts";
import { createHostPicker, type HostPicker } from "./host-picker.ts";
import { computePriorityLoads } from "./priority-load.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";

/** The endpoints of one locality at one priority. */
export interface LocalityGroup {
  readonly priority: number;
  readonly weight: number;
  readonly hosts: readonly UpstreamEndpoint[];
}

export interface LoadBalancerOptions {
  readonly balancer: BalancerPlan;
  readonly overprovisioningPercent: number;
  readonly panicPercent: number;
  readonly isLocalityWeighted: boolean;
  readonly random: () => number;
  /** Counts choices made without regard to health. */
  readonly panics: Counter;
}

/** A share of the traffic and who takes it. */
interface Slice {
  /** Upper end of the share, cumulative, in percent. */
  readonly upTo: number;
  readonly isPanicking: boolean;
  readonly picker: HostPicker | LocalityPicker;
}

/** How often the balancer is asked again for an endpoint not tried before, as Envoy's default host selection. */
const maxAvoidAttempts = 3;

/**
 * Chooses a priority, a locality, an endpoint. Built for one state of the
 * cluster and replaced when that changes; choosing allocates nothing.
 */
export class LoadBalancer {
  readonly #slices: readonly Slice[];
  readonly #random: () => number;
  readonly #panics: Counter;

  constructor(groups: readonly LocalityGroup[], options: LoadBalancerOptions) {
    this.#random = options.random;
    this.#panics = options.panics;
    this.#slices = buildSlices(groups, options);
  }

  /** Undefined when no endpoint may be used. Endpoints in `avoid` only when there is no other. */
  pick(avoid: readonly Endpoint[] | undefined): UpstreamEndpoint | undefined {
    let host = this.#pickOnce();
    if (host === undefined || avoid === undefined || avoid.length === 0) return host;
    for (let i = 0; i < maxAvoidAttempts && avoid.includes(host!); i++) host = this.#pickOnce();
    return avoid.includes(host!) ? (this.#anyExcept(avoid) ?? host) : host;
  }

  #pickOnce(): UpstreamEndpoint | undefined {
    const slices = this.#slices;
    if (slices.length === 0) return undefined;
    let slice = slices[0]!;
    if (slices.length > 1) {
      const point = this.#random() * slices[slices.length - 1]!.upTo;
      for (let i = 0; point >= slice.upTo && i + 1 < slices.length; ) slice = slices[++i]!;
    }
    if (slice.isPanicking) this.#panics.value += 1;
    return slice.picker.pick();
  }

  #anyExcept(avoid: readonly Endpoint[]): UpstreamEndpoint | undefined {
    for (const slice of this.#slices) {
      for (const host of slice.picker.hosts) if (!avoid.includes(host)) return host;
    }
    return undefined;
  }
}

function buildSlices(groups: readonly LocalityGroup[], options: LoadBalancerOptions): Slice[] {
  const levels: LocalityGroup[][] = [];
  for (const group of groups) {
    while (levels.length <= group.priority) levels.push([]);
    levels[group.priority]!.push(group);
  }
  const loads = computePriorityLoads(
    levels.map((level) => {
      const hosts = level.flatMap((group) => group.hosts);
      return {
        total: hosts.length,
        healthy: hosts.filter((host) => host.health === "healthy").length,
        degraded: hosts.filter((host) => host.health === "degraded").length,
      };
    }),
    options.overprovisioningPercent,
    options.panicPercent,
  );
  const slices: Slice[] = [];
  let upTo = 0;
  const add = (
    percent: number,
    level: LocalityGroup[],
    health: "healthy" | "degraded",
    isPanicking: boolean,
  ) => {
    if (percent <= 0) return;
    const picker = buildPicker(level, options, (host) => isPanicking || host.health === health);
    if (!picker) return;
    upTo += percent;
    slices.push({ upTo, isPanicking, picker });
  };
  levels.forEach((level, i) => {
    add(loads[i]!.healthyPercent, level, "healthy", loads[i]!.isPanicking);
  });
  levels.forEach((level, i) => {
    add(loads[i]!.degradedPercent, level, "degraded", loads[i]!.isPanicking);
  });
  return slices;
}

function buildPicker(
  level: readonly LocalityGroup[],
  options: LoadBalancerOptions,
  isUsable: (host: UpstreamEndpoint) => boolean,
): HostPicker | LocalityPicker | undefined {
  const usable = level
    .map((group) => ({ group, hosts: group.hosts.filter(isUsable) }))
    .filter(({ hosts }) => hosts.length > 0);
  if (usable.length === 0) return undefined;
  const weighted = usable.filter(({ group }) => group.weight > 0);
  if (!options.isLocalityWeighted || weighted.length === 0) {
    const hosts = usable.flatMap((entry) => entry.hosts);
    return createHostPicker(options.balancer, hosts, options.random);
  }
  const weights = weighted.map(({ group, hosts }) => {
    const share = (options.overprovisioningPercent / 100) * (hosts.length / group.hosts.length);
    return group.weight * Math.min(1, share);
  });
  const pickers = weighted.map(({ hosts }) => createHostPicker(options.balancer, hosts, options.random));
  return new LocalityPicker(pickers, weights);
}

/** Spreads over localities by weight, then within the one chosen. */
class LocalityPicker {
  readonly hosts: readonly UpstreamEndpoint[];
  readonly #pickers: readonly HostPicker[];
  readonly #weights: readonly number[];
  readonly #scheduler: EdfScheduler;

  constructor(pickers: readonly HostPicker[], weights: readonly number[]) {
    this.hosts = pickers.flatMap((picker) => picker.hosts);
    this.#pickers = pickers;
    this.#weights = weights;
    this.#scheduler = new EdfScheduler(weights);
  }

  pick(): UpstreamEndpoint {
    const chosen = this.#scheduler.peek();
    this.#scheduler.postpone(this.#weights[chosen]!);
    return this.#pickers[chosen]!.pick();
  }
}
