import type { Exchange } from "../../layer/exchange.ts";

/** What a request is counted under: pairs of key and value, in order. */
export type Descriptor = readonly (readonly [key: string, value: string])[];

/**
 * One pair of a descriptor. "skip" leaves the pair out; undefined means that the
 * request is not counted by this limit at all.
 */
export type DescriptorAction = (
  exchange: Exchange,
) => readonly [key: string, value: string] | "skip" | undefined;

/** One of a route's limits. @see envoy.config.route.v3.RateLimit */
export interface RateLimitPolicy {
  /** Filters take part in one stage each. */
  readonly stage: number;
  readonly actions: readonly DescriptorAction[];
}

/** A route's limits and those of its virtual host. */
export interface RouteRateLimits {
  readonly route: readonly RateLimitPolicy[];
  readonly virtualHost: readonly RateLimitPolicy[];
  /** `include_vh_rate_limits` of the route. */
  readonly includesVirtualHost: boolean;
}

/** Whether a virtual host's limits count beside, or in place of absent, limits of the route. */
export type VirtualHostLimits = "override" | "include" | "ignore";

/** The descriptors these limits make of a request. */
export function descriptorsOf(
  policies: readonly RateLimitPolicy[],
  stage: number,
  exchange: Exchange,
): Descriptor[] {
  const descriptors: Descriptor[] = [];
  for (const policy of policies) {
    if (policy.stage !== stage) continue;
    const descriptor = descriptorOf(policy, exchange);
    if (descriptor && descriptor.length > 0) descriptors.push(descriptor);
  }
  return descriptors;
}

/** The descriptors of the limits on the request's route. */
export function routeDescriptors(
  stage: number,
  virtualHostLimits: VirtualHostLimits,
  exchange: Exchange,
): Descriptor[] {
  const limits = exchange.match?.route.rateLimits;
  if (!limits) return [];
  const descriptors = descriptorsOf(limits.route, stage, exchange);
  const takesHost =
    limits.includesVirtualHost ||
    virtualHostLimits === "include" ||
    (virtualHostLimits === "override" && limits.route.length === 0);
  if (takesHost) descriptors.push(...descriptorsOf(limits.virtualHost, stage, exchange));
  return descriptors;
}

function descriptorOf({ actions }: RateLimitPolicy, exchange: Exchange): Descriptor | undefined {
  const pairs: (readonly [string, string])[] = [];
  for (const action of actions) {
    const pair = action(exchange);
    if (pair === undefined) return undefined;
    if (pair !== "skip") pairs.push(pair);
  }
  return pairs;
}
