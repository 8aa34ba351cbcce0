import type { Counter } from "@weft/base/metric-registry";
import type { PickContext } from "./cluster.ts";
import type { SubsetPlan } from "./cluster-plan.ts";
import { LoadBalancer, type LoadBalancerOptions } from "./load-balancer.ts";
import type { LocalityGroup } from "./locality-group.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";

type Criteria = readonly (readonly [key: string, value: string])[];

export interface SubsetCounters {
  readonly selected: Counter;
  readonly fallback: Counter;
}

/** More combinations of metadata values than this are not given a balancer of their own. */
const maxSubsets = 10_000;

/**
 * One balancer per combination of metadata values that a selector names; what
 * no selector covers goes to the fallback.
 *
 * @see envoy.config.cluster.v3.Cluster.LbSubsetConfig
 */
export class SubsetBalancer {
  readonly #subsets = new Map<string, LoadBalancer>();
  readonly #fallback: LoadBalancer | undefined;
  readonly #counters: SubsetCounters;
  /** Criteria come from route plans and are the same objects every time. */
  readonly #byCriteria = new WeakMap<Criteria, LoadBalancer | "none">();

  constructor(
    plan: SubsetPlan,
    groups: readonly LocalityGroup[],
    options: LoadBalancerOptions,
    counters: SubsetCounters,
  ) {
    this.#counters = counters;
    const members = new Map<string, (host: UpstreamEndpoint) => boolean>();
    for (const selector of plan.selectors) {
      for (const group of groups) {
        for (const host of group.hosts) {
          const criteria = criteriaOf(host, selector);
          if (criteria && members.size < maxSubsets) members.set(keyOf(criteria), hasAll(criteria));
        }
      }
    }
    for (const [key, isMember] of members) {
      this.#subsets.set(key, new LoadBalancer(narrow(groups, isMember), options));
    }
    if (plan.fallback === "any-endpoint") this.#fallback = new LoadBalancer(groups, options);
    else if (plan.fallback === "default-subset") {
      this.#fallback = new LoadBalancer(narrow(groups, hasAll(plan.defaultSubset)), options);
    }
  }

  pick(context: PickContext): UpstreamEndpoint | undefined {
    const chosen = context.subset && this.#find(context.subset);
    if (chosen) {
      const host = chosen.pick(context);
      if (host) {
        this.#counters.selected.value += 1;
        return host;
      }
    }
    const host = this.#fallback?.pick(context);
    if (host) this.#counters.fallback.value += 1;
    return host;
  }

  #find(criteria: Criteria): LoadBalancer | undefined {
    let found = this.#byCriteria.get(criteria);
    if (found === undefined) {
      found = this.#subsets.get(keyOf(criteria)) ?? "none";
      this.#byCriteria.set(criteria, found);
    }
    return found === "none" ? undefined : found;
  }
}

function narrow(
  groups: readonly LocalityGroup[],
  isMember: (host: UpstreamEndpoint) => boolean,
): LocalityGroup[] {
  return groups.map((group) => ({ ...group, hosts: group.hosts.filter(isMember) }));
}

function criteriaOf(host: UpstreamEndpoint, selector: readonly string[]): Criteria | undefined {
  const metadata = host.plan.metadata.get("envoy.lb");
  const criteria: [string, string][] = [];
  for (const key of [...selector].sort()) {
    const value = metadata?.get(key);
    if (value === undefined) return undefined;
    criteria.push([key, value]);
  }
  return criteria;
}

function hasAll(criteria: Criteria): (host: UpstreamEndpoint) => boolean {
  return (host) => {
    const metadata = host.plan.metadata.get("envoy.lb");
    return criteria.every(([key, value]) => metadata?.get(key) === value);
  };
}

function keyOf(criteria: Criteria): string {
  return JSON.stringify(criteria);
}
