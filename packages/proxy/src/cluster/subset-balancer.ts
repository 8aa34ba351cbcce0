import type { Counter, Gauge } from "@weft/base/metric-registry";
import type { PickContext } from "./cluster.ts";
import type { SubsetFallback, SubsetPlan, SubsetSelector } from "./cluster-plan.ts";
import { LoadBalancer } from "./load-balancer.ts";
import type { LoadBalancerOptions } from "./load-balancer-options.ts";
import type { LocalityGroup } from "./locality-group.ts";
import { type Criteria, criteriaKey, findSubsets, hasAll, narrow } from "./subset-members.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";

export interface SubsetStats {
  readonly active: Gauge;
  readonly selected: Counter;
  readonly fallback: Counter;
  readonly fallbackPanic: Counter;
  readonly singleHostDuplicate: Gauge;
}

/** What criteria lead to: a subset, or else the fallback of the selector that has their keys. */
interface Found {
  readonly subset: LoadBalancer | undefined;
  readonly single: UpstreamEndpoint | undefined;
  readonly fallback: SubsetSelector["fallback"];
}

/**
 * One balancer per combination of metadata values that a selector names; what
 * no selector covers goes to the fallback.
 *
 * @see envoy.config.cluster.v3.Cluster.LbSubsetConfig
 */
export class SubsetBalancer {
  readonly #plan: SubsetPlan;
  readonly #stats: SubsetStats;
  readonly #subsets = new Map<string, LoadBalancer>();
  readonly #singles = new Map<string, UpstreamEndpoint>();
  readonly #any: LoadBalancer;
  readonly #default: LoadBalancer;
  /** Criteria come from route plans and are the same objects every time. */
  readonly #byCriteria = new WeakMap<Criteria, Found>();
  readonly #narrowed = new WeakMap<Criteria, Criteria>();

  constructor(
    plan: SubsetPlan,
    groups: readonly LocalityGroup[],
    options: LoadBalancerOptions,
    stats: SubsetStats,
  ) {
    this.#plan = plan;
    this.#stats = stats;
    const { members, singles, duplicates } = findSubsets(plan, groups);
    for (const [key, criteria] of members) {
      this.#subsets.set(key, new LoadBalancer(narrow(plan, groups, hasAll(plan, criteria)), options));
    }
    this.#singles = singles;
    this.#any = new LoadBalancer(
      narrow(plan, groups, () => true),
      options,
    );
    this.#default = new LoadBalancer(narrow(plan, groups, hasAll(plan, plan.defaultSubset)), options);
    stats.active.set(members.size + singles.size);
    stats.singleHostDuplicate.set(duplicates);
  }

  pick(context: PickContext): UpstreamEndpoint | undefined {
    let criteria = context.subset;
    // Narrowing leaves fewer keys each time, so this ends.
    while (criteria) {
      const found = this.#find(criteria);
      if (found.single || found.subset) {
        this.#stats.selected.value += 1;
        return found.single ?? found.subset!.pick(context);
      }
      if (found.fallback === undefined) break;
      if (typeof found.fallback === "string") return this.#fallBack(found.fallback, context);
      criteria = this.#keepOnly(criteria, found.fallback);
    }
    const { fallback, panicsToAny } = this.#plan;
    let host = this.#fallBack(fallback, context);
    if (host) this.#stats.fallback.value += 1;
    else if (panicsToAny && fallback !== "no-endpoint") {
      host = this.#any.pick(context);
      if (host) this.#stats.fallbackPanic.value += 1;
    }
    return host;
  }

  #fallBack(fallback: SubsetFallback, context: PickContext): UpstreamEndpoint | undefined {
    if (fallback === "no-endpoint") return undefined;
    return (fallback === "any-endpoint" ? this.#any : this.#default).pick(context);
  }

  #find(sent: Criteria): Found {
    let found = this.#byCriteria.get(sent);
    if (!found) {
      const { selectors, allowsRedundantKeys } = this.#plan;
      const has = (key: string) => sent.some(([name]) => name === key);
      const narrower = allowsRedundantKeys
        ? selectors.find(({ keys }) => keys.length > 0 && keys.every(has))
        : undefined;
      const criteria = narrower ? sent.filter(([name]) => narrower.keys.includes(name)) : sent;
      const key = criteriaKey(criteria);
      const selector = selectors.find(
        ({ keys }) => keys.length === criteria.length && keys.every((name, i) => name === criteria[i]![0]),
      );
      found = {
        subset: this.#subsets.get(key),
        single: this.#singles.get(key),
        fallback: selector?.fallback,
      };
      this.#byCriteria.set(sent, found);
    }
    return found;
  }

  #keepOnly(criteria: Criteria, keys: readonly string[]): Criteria {
    let kept = this.#narrowed.get(criteria);
    if (!kept) {
      kept = criteria.filter(([key]) => keys.includes(key));
      this.#narrowed.set(criteria, kept);
    }
    return kept;
  }
}
