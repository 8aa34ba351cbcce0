import {
  type Cluster_LbSubsetConfig,
  Cluster_LbSubsetConfig_LbSubsetFallbackPolicy as Fallback,
  Cluster_LbSubsetConfig_LbSubsetSelector_LbSubsetSelectorFallbackPolicy as SelectorFallback,
} from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import type { Subset } from "@weft/xds/gen/envoy/extensions/load_balancing_policies/subset/v3/subset_pb";
import type { SubsetFallback, SubsetPlan, SubsetSelector } from "../cluster/cluster-plan.ts";
import { metadataPairs } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";

/** Both messages number their choices alike. */
const fallbacks: Readonly<Record<number, SubsetFallback>> = {
  [Fallback.NO_FALLBACK]: "no-endpoint",
  [Fallback.ANY_ENDPOINT]: "any-endpoint",
  [Fallback.DEFAULT_SUBSET]: "default-subset",
};

const selectorFallbacks: Readonly<Record<number, SubsetFallback>> = {
  [SelectorFallback.NO_FALLBACK]: "no-endpoint",
  [SelectorFallback.ANY_ENDPOINT]: "any-endpoint",
  [SelectorFallback.DEFAULT_SUBSET]: "default-subset",
};

/** Decodes `lb_subset_config` or the policy of that kind; undefined when no selector asks for subsets. */
export function decodeSubsets(
  config: Cluster_LbSubsetConfig | Subset | undefined,
  path: string,
  issues: Issues,
): SubsetPlan | undefined {
  if (!config || config.subsetSelectors.length === 0) return undefined;
  return {
    selectors: config.subsetSelectors.map((selector, i) =>
      decodeSelector(selector, `${at(path, "subset_selectors")}[${i}]`, issues),
    ),
    fallback: fallbacks[config.fallbackPolicy] ?? "no-endpoint",
    defaultSubset: metadataPairs(config.defaultSubset),
    panicsToAny: config.panicModeAny,
    readsLists: config.listAsAny,
    isLocalityAware: config.localityWeightAware,
    scalesLocalityWeights: config.scaleLocalityWeight,
    allowsRedundantKeys: "allowRedundantKeys" in config && config.allowRedundantKeys,
  };
}

function decodeSelector(
  selector: (Cluster_LbSubsetConfig | Subset)["subsetSelectors"][number],
  path: string,
  issues: Issues,
): SubsetSelector {
  const keys = [...new Set(selector.keys)].sort();
  if (keys.length === 0) issues.add(at(path, "keys"), "is empty");
  if (selector.singleHostPerSubset && keys.length !== 1) {
    issues.add(at(path, "single_host_per_subset"), "needs exactly one key");
  }
  const kept = selector.fallbackKeysSubset;
  if (selector.fallbackPolicy !== SelectorFallback.KEYS_SUBSET) {
    if (kept.length > 0)
      issues.add(at(path, "fallback_keys_subset"), "goes with `fallback_policy: KEYS_SUBSET` only");
    return {
      keys,
      fallback: selectorFallbacks[selector.fallbackPolicy],
      hasSingleHost: selector.singleHostPerSubset,
    };
  }
  if (kept.length === 0 || kept.length >= keys.length || !kept.every((key) => keys.includes(key))) {
    issues.add(at(path, "fallback_keys_subset"), "names some, but not all, of `keys`");
  }
  return { keys, fallback: kept, hasSingleHost: selector.singleHostPerSubset };
}
