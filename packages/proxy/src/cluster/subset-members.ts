import type { SubsetPlan } from "./cluster-plan.ts";
import type { LocalityGroup } from "./locality-group.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";

/** Metadata values under `envoy.lb`, sorted by key. */
export type Criteria = readonly (readonly [key: string, value: string])[];

/** More combinations of metadata values than this are not given a balancer of their own. */
const maxSubsets = 10_000;

export function criteriaKey(criteria: Criteria): string {
  return JSON.stringify(criteria);
}

/** All subsets the endpoints make, and the endpoints that are one by themselves, by `criteriaKey`. */
export function findSubsets(
  plan: SubsetPlan,
  groups: readonly LocalityGroup[],
): {
  readonly members: ReadonlyMap<string, Criteria>;
  readonly singles: Map<string, UpstreamEndpoint>;
  /** How many endpoints have a value that another one has already. */
  readonly duplicates: number;
} {
  const members = new Map<string, Criteria>();
  const singles = new Map<string, UpstreamEndpoint>();
  let duplicates = 0;
  for (const { keys, hasSingleHost } of plan.selectors) {
    for (const group of groups) {
      for (const host of group.hosts) {
        for (const criteria of criteriaOf(plan, host, keys)) {
          const key = criteriaKey(criteria);
          if (members.size + singles.size >= maxSubsets) return { members, singles, duplicates };
          if (!hasSingleHost) members.set(key, criteria);
          else if (singles.has(key)) duplicates += 1;
          else singles.set(key, host);
        }
      }
    }
  }
  return { members, singles, duplicates };
}

export function hasAll(plan: SubsetPlan, criteria: Criteria): (host: UpstreamEndpoint) => boolean {
  return (host) => criteria.every(([key, value]) => valuesOf(plan, host, key).includes(value));
}

/** The localities with only the endpoints for which `isMember`, weighted as the plan says. */
export function narrow(
  plan: SubsetPlan,
  groups: readonly LocalityGroup[],
  isMember: (host: UpstreamEndpoint) => boolean,
): LocalityGroup[] {
  return groups.map((group) => {
    const hosts = group.hosts.filter(isMember);
    const share = plan.scalesLocalityWeights ? hosts.length / Math.max(1, group.hosts.length) : 1;
    // Envoy rounds to whole weights and keeps a locality that has any endpoint.
    const scaled = Math.max(1, Math.round(group.weight * share));
    const weight = plan.isLocalityAware && group.weight > 0 ? scaled : 0;
    return { ...group, hosts, weight };
  });
}

/** One for each combination of values; a key that is missing makes none. */
function criteriaOf(plan: SubsetPlan, host: UpstreamEndpoint, keys: readonly string[]): Criteria[] {
  let all: (readonly [string, string])[][] = [[]];
  for (const key of keys) {
    const values = valuesOf(plan, host, key);
    all = all.flatMap((criteria) => values.map((value) => [...criteria, [key, value] as const]));
    if (all.length > maxSubsets) all.length = maxSubsets;
  }
  return all;
}

function valuesOf(plan: SubsetPlan, host: UpstreamEndpoint, key: string): readonly string[] {
  const value = host.plan.metadata.get("envoy.lb")?.get(key);
  if (value !== undefined) return [value];
  return (plan.readsLists ? host.plan.lbLists?.get(key) : undefined) ?? [];
}
