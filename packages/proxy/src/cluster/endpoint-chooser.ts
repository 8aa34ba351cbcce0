import type { Clock } from "@weft/base/clock";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";
import type { PickContext } from "./cluster.ts";
import type { AssignmentPolicy, ClusterPlan } from "./cluster-plan.ts";
import type { AllClusterStats } from "./cluster-stats.ts";
import { LoadBalancer } from "./load-balancer.ts";
import type { LoadBalancerOptions } from "./load-balancer-options.ts";
import type { LocalityGroup } from "./locality-group.ts";
import { SubsetBalancer } from "./subset-balancer.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";
import { defaultZoneAware } from "./zone-aware-plan.ts";
import type { ZoneAwareness } from "./zone-routing.ts";

/** Chooses for one state of a cluster. */
export interface EndpointChooser {
  pick(context: PickContext): UpstreamEndpoint | undefined;
}

export interface ChooserDependencies {
  readonly clock: Clock;
  readonly stats: EnvoyStats;
  readonly random: () => number;
  /** Given where the bootstrap names a local cluster and this is another one. */
  readonly zone: Pick<ZoneAwareness, "own" | "local"> | undefined;
}

const defaultPanicPercent = 50;
const defaultOverprovisioningPercent = 140;

/** Builds what a cluster's plan asks for: one balancer, or one for each subset. */
export function createEndpointChooser(
  plan: ClusterPlan,
  groups: readonly LocalityGroup[],
  policy: AssignmentPolicy,
  { request, membership }: AllClusterStats,
  { clock, stats, random, zone }: ChooserDependencies,
): EndpointChooser {
  const { subsets, statName } = plan;
  const panicPercent = plan.panicThresholdPercent ?? defaultPanicPercent;
  const options: LoadBalancerOptions = {
    balancer: plan.balancer,
    overprovisioningPercent: policy.overprovisioningPercent ?? defaultOverprovisioningPercent,
    weighsPriorityHealth: policy.weighsPriorityHealth ?? false,
    panicPercent,
    isLocalityWeighted: plan.isLocalityWeighted ?? false,
    zones: zone && {
      ...zone,
      plan: plan.zoneAware ?? defaultZoneAware,
      localPanicPercent: () => panicPercent,
      counter: (name) => stats.counter(`cluster.{envoy_cluster_name}.${name}`, statName),
    },
    random,
    nowMs: () => clock.monotonicMs(),
    panics: membership.healthyPanic,
    activeRequests: request.rqActive,
    gauge: (name) => stats.gauge(`cluster.{envoy_cluster_name}.${name}`, statName),
  };
  if (!subsets) return new LoadBalancer(groups, options);
  return new SubsetBalancer(subsets, groups, options, {
    active: options.gauge("lb_subsets_active"),
    selected: membership.subsetsSelected,
    fallback: membership.subsetsFallback,
    fallbackPanic: membership.subsetsFallbackPanic,
    singleHostDuplicate: options.gauge("lb_subsets_single_host_per_subset_duplicate"),
  });
}
