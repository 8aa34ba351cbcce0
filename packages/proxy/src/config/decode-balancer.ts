import {
  type Cluster,
  Cluster_RingHashLbConfig_HashFunction as HashFunction,
  Cluster_LbPolicy as LbPolicy,
} from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import type { RuntimeDouble } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import type { SlowStartConfig } from "@weft/xds/gen/envoy/extensions/load_balancing_policies/common/v3/common_pb";
import type {
  BalancerPlan,
  HashingPlan,
  LeastRequestPlan,
  MaglevPlan,
  RingHashPlan,
  SlowStartPlan,
} from "../cluster/balancer-plan.ts";
import type { Discovery } from "../cluster/cluster-plan.ts";
import { timeoutMs } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";

const maxRingSize = 8_388_608;
const maxTableSize = 5_000_011;

/** Decodes `lb_policy` and what belongs to it. */
export function decodeLbPolicy(
  cluster: Cluster,
  discovery: Discovery,
  path: string,
  issues: Issues,
): BalancerPlan {
  if (providesBalancer(discovery) !== (cluster.lbPolicy === LbPolicy.CLUSTER_PROVIDED)) {
    issues.add(
      at(path, "lb_policy"),
      "CLUSTER_PROVIDED goes with ORIGINAL_DST and aggregate clusters, and only with them",
    );
  }
  const config = cluster.lbConfig;
  switch (cluster.lbPolicy) {
    case LbPolicy.ROUND_ROBIN: {
      const own = config.case === "roundRobinLbConfig" ? config.value : undefined;
      const place = at(path, "round_robin_lb_config.slow_start_config");
      return { kind: "round-robin", slowStart: decodeSlowStart(own?.slowStartConfig, place, issues) };
    }
    case LbPolicy.RANDOM:
      return { kind: "random" };
    case LbPolicy.LEAST_REQUEST: {
      const own = config.case === "leastRequestLbConfig" ? config.value : undefined;
      return decodeLeastRequest(own ?? {}, at(path, "least_request_lb_config"), issues);
    }
    case LbPolicy.RING_HASH: {
      const own = config.case === "ringHashLbConfig" ? config.value : undefined;
      const isMurmur = own?.hashFunction === HashFunction.MURMUR_HASH_2;
      const hashing = decodeLegacyHashing(cluster, path, issues);
      return decodeRing({ ...own, isMurmur }, hashing, at(path, "ring_hash_lb_config"), issues);
    }
    case LbPolicy.MAGLEV: {
      const own = config.case === "maglevLbConfig" ? config.value : undefined;
      const hashing = decodeLegacyHashing(cluster, path, issues);
      return decodeMaglev(own?.tableSize, hashing, at(path, "maglev_lb_config"), issues);
    }
    case LbPolicy.CLUSTER_PROVIDED:
      return { kind: "cluster-provided" };
    default:
      issues.add(
        at(path, "lb_policy"),
        `${LbPolicy[cluster.lbPolicy]} needs \`load_balancing_policy\``,
        "name a policy there",
      );
      return { kind: "round-robin" };
  }
}

/** Whether the kind of cluster leaves nothing for a balancer to choose. */
export function providesBalancer({ kind }: Discovery): boolean {
  return kind === "original-dst" || kind === "aggregate";
}

function decodeLegacyHashing(cluster: Cluster, path: string, issues: Issues): HashingPlan {
  const common = cluster.commonLbConfig?.consistentHashingLbConfig;
  const place = at(path, "common_lb_config.consistent_hashing_lb_config");
  return {
    usesHostname: common?.useHostnameForHashing ?? false,
    balancePercent: decodeBalanceFactor(common?.hashBalanceFactor, place, issues),
    hashPolicy: undefined,
  };
}

/** `hash_balance_factor`: 0 when unset. */
export function decodeBalanceFactor(factor: number | undefined, path: string, issues: Issues): number {
  if (factor !== undefined && factor < 100) {
    issues.add(
      at(path, "hash_balance_factor"),
      `${factor} is below 100`,
      "give the percent of the fair share",
    );
  }
  return factor ?? 0;
}

export function decodeRing(
  config: {
    readonly isMurmur: boolean;
    readonly minimumRingSize?: bigint | undefined;
    readonly maximumRingSize?: bigint | undefined;
  },
  hashing: HashingPlan,
  path: string,
  issues: Issues,
): RingHashPlan {
  const minimumRingSize = Number(config.minimumRingSize ?? 1024);
  const maximumRingSize = Number(config.maximumRingSize ?? maxRingSize);
  for (const [name, size] of [
    ["minimum_ring_size", minimumRingSize],
    ["maximum_ring_size", maximumRingSize],
  ] as const) {
    if (size < 1 || size > maxRingSize)
      issues.add(at(path, name), `${size} is not within 1 to ${maxRingSize}`);
  }
  if (minimumRingSize > maximumRingSize) {
    issues.add(
      at(path, "minimum_ring_size"),
      `${minimumRingSize} is above the maximum of ${maximumRingSize}`,
    );
  }
  return {
    ...hashing,
    kind: "ring-hash",
    hashFunction: config.isMurmur ? "murmur2" : "xx-hash",
    minimumRingSize,
    maximumRingSize,
  };
}

export function decodeMaglev(
  tableSize: bigint | undefined,
  hashing: HashingPlan,
  path: string,
  issues: Issues,
): MaglevPlan {
  const size = Number(tableSize ?? 65_537);
  if (size > maxTableSize || !isPrime(size)) {
    issues.add(at(path, "table_size"), `${size} is not a prime number up to ${maxTableSize}`, "65537 is one");
  }
  return { ...hashing, kind: "maglev", tableSize: size };
}

function isPrime(value: number): boolean {
  if (value < 3) return false;
  for (let i = 2; i * i <= value; i++) if (value % i === 0) return false;
  return true;
}

export function decodeLeastRequest(
  config: {
    readonly choiceCount?: number | undefined;
    readonly activeRequestBias?: RuntimeDouble | undefined;
    readonly slowStartConfig?: SlowStartSettings | undefined;
  },
  path: string,
  issues: Issues,
): LeastRequestPlan {
  const choiceCount = config.choiceCount ?? 2;
  if (choiceCount < 2) issues.add(at(path, "choice_count"), "is at least 2");
  const bias = config.activeRequestBias?.defaultValue;
  if (bias !== undefined && bias < 0) {
    issues.add(at(path, "active_request_bias.default_value"), "cannot be negative");
  }
  return {
    kind: "least-request",
    choiceCount,
    activeRequestBias: bias ?? 1,
    slowStart: decodeSlowStart(config.slowStartConfig, at(path, "slow_start_config"), issues),
  };
}

/** The message is the same in both places of the API. */
type SlowStartSettings = Pick<SlowStartConfig, "slowStartWindow" | "aggression" | "minWeightPercent">;

export function decodeSlowStart(
  config: SlowStartSettings | undefined,
  path: string,
  issues: Issues,
): SlowStartPlan | undefined {
  const windowMs = timeoutMs(config?.slowStartWindow, 0, at(path, "slow_start_window"), issues);
  if (!config || windowMs === 0) return undefined;
  const aggression = config.aggression?.defaultValue ?? 1;
  const percent = config.minWeightPercent?.value ?? 10;
  if (!(aggression > 0)) issues.add(at(path, "aggression.default_value"), "is above 0");
  if (!(percent >= 0 && percent <= 100)) issues.add(at(path, "min_weight_percent"), "is within 0 to 100");
  return { windowMs, aggression, minWeight: percent / 100 };
}
