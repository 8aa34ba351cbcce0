import type { LocalityGroup } from "./locality-group.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";

/** Endpoints with their shares of the traffic, which add up to 1. */
export interface WeightedHosts {
  readonly hosts: readonly UpstreamEndpoint[];
  readonly weights: readonly number[];
}

/**
 * Shares by endpoint weight; with `isLocalityWeighted`, each locality's weight is
 * divided among its endpoints first, and localities without a weight are left out.
 */
export function weighHosts(groups: readonly LocalityGroup[], isLocalityWeighted: boolean): WeightedHosts {
  const hosts: UpstreamEndpoint[] = [];
  const weights: number[] = [];
  const add = (members: readonly UpstreamEndpoint[], share: number) => {
    const sum = members.reduce((total, host) => total + host.weight, 0);
    for (const host of members) {
      hosts.push(host);
      weights.push((host.weight * share) / sum);
    }
  };
  if (!isLocalityWeighted || groups.every((group) => group.weight === 0)) {
    add(
      groups.flatMap((group) => group.hosts),
      1,
    );
  } else {
    const sum = groups.reduce((total, group) => total + group.weight, 0);
    for (const group of groups) if (group.weight > 0) add(group.hosts, group.weight / sum);
  }
  return { hosts, weights };
}
