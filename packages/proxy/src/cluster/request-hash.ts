import type { HashPolicy, HashSource } from "../hash/hash-policy.ts";
import type { Hash64 } from "../hash/hash64.ts";
import { type BalancerPlan, choosesByHash } from "./balancer-plan.ts";

/**
 * The hash that places a request in a cluster with this balancer; undefined
 * where none counts. A balancer's own policy takes the place of the route's.
 */
export function requestHash(
  balancer: BalancerPlan,
  routePolicy: HashPolicy | undefined,
  source: HashSource,
): Hash64 | undefined {
  if (!choosesByHash(balancer)) return undefined;
  return (balancer.hashPolicy ?? routePolicy)?.(source);
}
