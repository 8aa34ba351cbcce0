import {
  type Cluster,
  Cluster_LbSubsetConfig_LbSubsetFallbackPolicy as Fallback,
} from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import type { SubsetPlan } from "../cluster/cluster-plan.ts";
import { metadataPairs } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";

const fallbacks: Readonly<Record<Fallback, SubsetPlan["fallback"]>> = {
  [Fallback.NO_FALLBACK]: "no-endpoint",
  [Fallback.ANY_ENDPOINT]: "any-endpoint",
  [Fallback.DEFAULT_SUBSET]: "default-subset",
};

/** Decodes `lb_subset_config`; undefined when no selector asks for subsets. */
export function decodeSubsets(cluster: Cluster, path: string, issues: Issues): SubsetPlan | undefined {
  const config = cluster.lbSubsetConfig;
  if (!config || config.subsetSelectors.length === 0) return undefined;
  config.subsetSelectors.forEach((selector, i) => {
    if (selector.keys.length === 0) {
      issues.add(at(`${at(path, "lb_subset_config.subset_selectors")}[${i}]`, "keys"), "is empty");
    }
  });
  return {
    selectors: config.subsetSelectors.map((selector) => [...new Set(selector.keys)].sort()),
    fallback: fallbacks[config.fallbackPolicy],
    defaultSubset: metadataPairs(config.defaultSubset),
  };
}
