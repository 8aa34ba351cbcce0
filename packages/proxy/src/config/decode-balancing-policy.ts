import type {
  Cluster_CommonLbConfig,
  LoadBalancingPolicy,
} from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import type {
  ConsistentHashingLbConfig,
  LocalityLbConfig,
} from "@weft/xds/gen/envoy/extensions/load_balancing_policies/common/v3/common_pb";
import {
  type LeastRequest,
  LeastRequest_SelectionMethod,
} from "@weft/xds/gen/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb";
import type { Maglev } from "@weft/xds/gen/envoy/extensions/load_balancing_policies/maglev/v3/maglev_pb";
import type { Random } from "@weft/xds/gen/envoy/extensions/load_balancing_policies/random/v3/random_pb";
import {
  type RingHash,
  RingHash_HashFunction,
} from "@weft/xds/gen/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash_pb";
import type { RoundRobin } from "@weft/xds/gen/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin_pb";
import type { Subset } from "@weft/xds/gen/envoy/extensions/load_balancing_policies/subset/v3/subset_pb";
import type { WrrLocality } from "@weft/xds/gen/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality_pb";
import type { BalancerPlan, HashingPlan } from "../cluster/balancer-plan.ts";
import type { Discovery, SubsetPlan } from "../cluster/cluster-plan.ts";
import type { ZoneAwarePlan } from "../cluster/zone-aware-plan.ts";
import {
  decodeBalanceFactor,
  decodeLeastRequest,
  decodeMaglev,
  decodeRing,
  decodeSlowStart,
  providesBalancer,
} from "./decode-balancer.ts";
import { decodeHashPolicy } from "./decode-hash-policy.ts";
import { decodePeakEwma, typedStructOf } from "./decode-peak-ewma.ts";
import { decodeSubsets } from "./decode-subsets.ts";
import { unpackAny } from "./extension-registry.ts";
import { at, type Issues } from "./issues.ts";

/** What a policy of the extensible kind asks for. */
export interface BalancingChoice {
  readonly balancer: BalancerPlan;
  readonly isLocalityWeighted: boolean;
  readonly zoneAware?: ZoneAwarePlan | undefined;
  readonly subsets: SubsetPlan | undefined;
}

const prefix = "envoy.extensions.load_balancing_policies.";
const plain = { isLocalityWeighted: false, subsets: undefined };
const roundRobin: BalancingChoice = { balancer: { kind: "round-robin" }, ...plain };

/**
 * Decodes `load_balancing_policy`: the first policy of the list that is known
 * here, as in Envoy; the ones before it are for other proxies.
 */
export function decodeBalancingPolicy(
  policy: LoadBalancingPolicy | undefined,
  discovery: Discovery,
  path: string,
  issues: Issues,
): BalancingChoice {
  const known = policy?.policies.entries() ?? [];
  for (const [i, { typedExtensionConfig }] of known) {
    const any = typedExtensionConfig?.typedConfig;
    const message = any && unpackAny(any);
    const struct = message && typedStructOf(message);
    if (struct && !struct.typeName.startsWith(prefix)) continue;
    if (!struct && !message?.$typeName.startsWith(prefix)) continue;
    const place = at(`${at(path, "policies")}[${i}]`, "typed_extension_config.typed_config");
    const isProvided = message!.$typeName === `${prefix}cluster_provided.v3.ClusterProvided`;
    if (isProvided !== providesBalancer(discovery)) {
      issues.add(
        place,
        "`ClusterProvided` goes with ORIGINAL_DST and aggregate clusters, and only with them",
      );
    }
    if (struct) return { balancer: decodePeakEwma(struct, place, issues), ...plain };
    return decodePolicy(message!, discovery, place, issues);
  }
  issues.add(at(path, "policies"), "names no policy this proxy implements", "add RoundRobin or LeastRequest");
  return roundRobin;
}

function decodePolicy(
  message: { readonly $typeName: string },
  discovery: Discovery,
  path: string,
  issues: Issues,
): BalancingChoice {
  switch (message.$typeName.slice(prefix.length)) {
    case "round_robin.v3.RoundRobin": {
      const config = message as RoundRobin;
      const slowStart = decodeSlowStart(config.slowStartConfig, at(path, "slow_start_config"), issues);
      return { balancer: { kind: "round-robin", slowStart }, ...decodeLocality(config, path, issues) };
    }
    case "least_request.v3.LeastRequest": {
      const config = message as LeastRequest;
      const plan = decodeLeastRequest(config, path, issues);
      const isFullScan = config.selectionMethod === LeastRequest_SelectionMethod.FULL_SCAN;
      return {
        balancer: isFullScan ? { ...plan, choiceCount: 0 } : plan,
        ...decodeLocality(config, path, issues),
      };
    }
    case "random.v3.Random":
      return { balancer: { kind: "random" }, ...decodeLocality(message as Random, path, issues) };
    case "ring_hash.v3.RingHash": {
      const config = message as RingHash;
      const isMurmur = config.hashFunction === RingHash_HashFunction.MURMUR_HASH_2;
      const hashing = decodeHashing(config.consistentHashingLbConfig ?? config, path, issues);
      return {
        balancer: decodeRing({ ...config, isMurmur }, hashing, path, issues),
        ...plain,
        isLocalityWeighted: config.localityWeightedLbConfig !== undefined,
      };
    }
    case "maglev.v3.Maglev": {
      const config = message as Maglev;
      const hashing = decodeHashing(config.consistentHashingLbConfig ?? {}, path, issues);
      return {
        balancer: decodeMaglev(config.tableSize, hashing, path, issues),
        ...plain,
        isLocalityWeighted: config.localityWeightedLbConfig !== undefined,
      };
    }
    case "wrr_locality.v3.WrrLocality": {
      const place = at(path, "endpoint_picking_policy");
      const { endpointPickingPolicy } = message as WrrLocality;
      const picking = decodeBalancingPolicy(endpointPickingPolicy, discovery, place, issues);
      return { ...picking, isLocalityWeighted: true };
    }
    case "subset.v3.Subset": {
      const config = message as Subset;
      const within = decodeBalancingPolicy(
        config.subsetLbPolicy,
        discovery,
        at(path, "subset_lb_policy"),
        issues,
      );
      if (within.subsets) issues.add(at(path, "subset_lb_policy"), "cannot be of subsets again");
      return { ...within, subsets: decodeSubsets(config, path, issues) };
    }
    case "cluster_provided.v3.ClusterProvided":
      return { balancer: { kind: "cluster-provided" }, ...plain };
    default:
      issues.add(path, `${message.$typeName} is not implemented by this proxy`);
      return roundRobin;
  }
}

type Locality = Omit<BalancingChoice, "balancer">;

function decodeLocality(
  { localityLbConfig }: { readonly localityLbConfig?: LocalityLbConfig | undefined },
  path: string,
  issues: Issues,
): Locality {
  const place = at(path, "locality_lb_config");
  return {
    ...decodeLocalityConfig(localityLbConfig?.localityConfigSpecifier, place, issues),
    subsets: undefined,
  };
}

/** How localities count, from either place of the API. */
export function decodeLocalityConfig(
  specifier:
    | Cluster_CommonLbConfig["localityConfigSpecifier"]
    | LocalityLbConfig["localityConfigSpecifier"]
    | undefined,
  path: string,
  issues: Issues,
): Omit<Locality, "subsets"> {
  if (specifier?.case !== "zoneAwareLbConfig") {
    return { isLocalityWeighted: specifier?.case === "localityWeightedLbConfig" };
  }
  const { value } = specifier;
  const routingPercent = value.routingEnabled?.value ?? 100;
  if (!(routingPercent >= 0 && routingPercent <= 100)) {
    issues.add(at(path, "zone_aware_lb_config.routing_enabled"), "is within 0 to 100");
  }
  return {
    isLocalityWeighted: false,
    zoneAware: {
      routingPercent,
      minClusterSize: Number(value.minClusterSize ?? 6),
      failsOnPanic: value.failTrafficOnPanic,
      forcesLocal: "forceLocalityDirectRouting" in value && value.forceLocalityDirectRouting,
    },
  };
}

/** Older configurations have the fields beside the common message rather than in it. */
function decodeHashing(
  config: Partial<
    Pick<ConsistentHashingLbConfig, "useHostnameForHashing" | "hashBalanceFactor" | "hashPolicy">
  >,
  path: string,
  issues: Issues,
): HashingPlan {
  const place = at(path, "consistent_hashing_lb_config");
  return {
    usesHostname: config.useHostnameForHashing ?? false,
    balancePercent: decodeBalanceFactor(config.hashBalanceFactor, place, issues),
    hashPolicy: decodeHashPolicy(config.hashPolicy ?? [], at(place, "hash_policy"), issues),
  };
}
