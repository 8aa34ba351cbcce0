import type { LoadBalancingPolicy } from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
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
import type { WrrLocality } from "@weft/xds/gen/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality_pb";
import type { BalancerPlan, HashingPlan } from "../cluster/balancer-plan.ts";
import type { Discovery } from "../cluster/cluster-plan.ts";
import {
  decodeBalanceFactor,
  decodeLeastRequest,
  decodeMaglev,
  decodeRing,
  decodeSlowStart,
} from "./decode-balancer.ts";
import { decodeHashPolicy } from "./decode-hash-policy.ts";
import { unpackAny } from "./extension-registry.ts";
import { at, type Issues } from "./issues.ts";

/** What a policy of the extensible kind asks for. */
export interface BalancingChoice {
  readonly balancer: BalancerPlan;
  readonly isLocalityWeighted: boolean;
}

const prefix = "envoy.extensions.load_balancing_policies.";
const roundRobin: BalancingChoice = { balancer: { kind: "round-robin" }, isLocalityWeighted: false };

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
    if (!message?.$typeName.startsWith(prefix)) continue;
    const place = at(`${at(path, "policies")}[${i}]`, "typed_extension_config.typed_config");
    const isProvided = message.$typeName === `${prefix}cluster_provided.v3.ClusterProvided`;
    if (isProvided !== (discovery.kind === "original-dst")) {
      issues.add(place, "`ClusterProvided` goes with ORIGINAL_DST clusters, and only with them");
    }
    return decodePolicy(message, discovery, place, issues);
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
      return { balancer: { kind: "round-robin", slowStart }, ...decodeLocality(config.localityLbConfig) };
    }
    case "least_request.v3.LeastRequest": {
      const config = message as LeastRequest;
      const plan = decodeLeastRequest(config, path, issues);
      const isFullScan = config.selectionMethod === LeastRequest_SelectionMethod.FULL_SCAN;
      return {
        balancer: isFullScan ? { ...plan, choiceCount: 0 } : plan,
        ...decodeLocality(config.localityLbConfig),
      };
    }
    case "random.v3.Random":
      return { balancer: { kind: "random" }, ...decodeLocality((message as Random).localityLbConfig) };
    case "ring_hash.v3.RingHash": {
      const config = message as RingHash;
      const isMurmur = config.hashFunction === RingHash_HashFunction.MURMUR_HASH_2;
      const hashing = decodeHashing(config.consistentHashingLbConfig ?? config, path, issues);
      return {
        balancer: decodeRing({ ...config, isMurmur }, hashing, path, issues),
        isLocalityWeighted: config.localityWeightedLbConfig !== undefined,
      };
    }
    case "maglev.v3.Maglev": {
      const config = message as Maglev;
      const hashing = decodeHashing(config.consistentHashingLbConfig ?? {}, path, issues);
      return {
        balancer: decodeMaglev(config.tableSize, hashing, path, issues),
        isLocalityWeighted: config.localityWeightedLbConfig !== undefined,
      };
    }
    case "wrr_locality.v3.WrrLocality": {
      const place = at(path, "endpoint_picking_policy");
      const { endpointPickingPolicy } = message as WrrLocality;
      const { balancer } = decodeBalancingPolicy(endpointPickingPolicy, discovery, place, issues);
      return { balancer, isLocalityWeighted: true };
    }
    case "cluster_provided.v3.ClusterProvided":
      return { balancer: { kind: "cluster-provided" }, isLocalityWeighted: false };
    default:
      issues.add(path, `${message.$typeName} is not implemented by this proxy`);
      return roundRobin;
  }
}

function decodeLocality(config: LocalityLbConfig | undefined): Pick<BalancingChoice, "isLocalityWeighted"> {
  return { isLocalityWeighted: config?.localityConfigSpecifier.case === "localityWeightedLbConfig" };
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
