import type {
  RouteAction,
  WeightedCluster,
  WeightedCluster_ClusterWeight,
} from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import type { HashPolicy } from "../hash/hash-policy.ts";
import type { Hash64 } from "../hash/hash64.ts";
import type { RequestHead } from "../layer/message.ts";
import { readHeader } from "../route/request-matcher.ts";
import type { ClusterChoice, ForwardAction } from "../route/route-plan.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeHeaderEdits } from "./decode-header-edits.ts";
import { subsetOf } from "./decode-values.ts";
import { at } from "./issues.ts";

type SelectCluster = ForwardAction["selectCluster"];
type FilterConfigs = ReadonlyMap<string, unknown>;
/** Decodes `typed_per_filter_config` and lays it over what the route inherits and says itself. */
export type DecodeFilterConfigs = (
  configs: WeightedCluster_ClusterWeight["typedPerFilterConfig"],
  path: string,
) => FilterConfigs | undefined;

/** Distinct values of a header come from clients: so many are remembered, the rest made anew. */
const maxRemembered = 64;

export function decodeClusterChoice(
  action: RouteAction,
  hashPolicy: HashPolicy | undefined,
  decodeFilterConfigs: DecodeFilterConfigs,
  path: string,
  context: DecodeContext,
): SelectCluster {
  const specifier = action.clusterSpecifier;
  const subset = subsetOf(action.metadataMatch);
  switch (specifier.case) {
    case "cluster": {
      requireCluster(specifier.value, at(path, "cluster"), context);
      const choice = plainChoice(specifier.value, subset);
      return () => choice;
    }
    case "clusterHeader":
      requireHeader(specifier.value, at(path, "cluster_header"), context);
      return chooseByHeader(specifier.value, plainChoice("", subset));
    case "weightedClusters": {
      const place = at(path, "weighted_clusters");
      return decodeWeighted(specifier.value, action, hashPolicy, decodeFilterConfigs, place, context);
    }
    default:
      context.issues.add(path, "needs one of `cluster`, `cluster_header`, `weighted_clusters`");
      return () => plainChoice("", undefined);
  }
}

function plainChoice(cluster: string, subset: ClusterChoice["subset"]): ClusterChoice {
  return { cluster, subset, requestEdits: undefined, responseEdits: undefined };
}

/** The cluster a request header names; none when it is absent. */
function chooseByHeader(header: string, like: ClusterChoice): (request: RequestHead) => ClusterChoice {
  const name = header.toLowerCase();
  const choices = new Map<string, ClusterChoice>();
  return (request) => {
    const cluster = readHeader(request, name) ?? "";
    let choice = choices.get(cluster);
    if (!choice) {
      choice = { ...like, cluster };
      if (choices.size < maxRemembered) choices.set(cluster, choice);
    }
    return choice;
  };
}

function decodeWeighted(
  weighted: WeightedCluster,
  action: RouteAction,
  hashPolicy: HashPolicy | undefined,
  decodeFilterConfigs: DecodeFilterConfigs,
  path: string,
  context: DecodeContext,
): SelectCluster {
  const { issues } = context;
  let total = 0;
  const bounds: number[] = [];
  const choices = weighted.clusters.map((entry, i) => {
    total += entry.weight ?? 0;
    bounds.push(total);
    return decodeEntry(entry, action, decodeFilterConfigs, `${at(path, "clusters")}[${i}]`, context);
  });
  if (choices.length === 0) issues.add(at(path, "clusters"), "is empty", "list at least one cluster");
  else if (total === 0) issues.add(at(path, "clusters"), "all weights are 0", "give one a weight");
  if (total > 2 ** 32 - 1) issues.add(at(path, "clusters"), "the weights add up to more than 4294967295");
  const last = choices.length - 1;
  const pick = (point: number) => {
    for (let i = 0; i < last; i++) if (point < bounds[i]!) return choices[i]!;
    return choices[last]!;
  };
  const specifier = weighted.randomValueSpecifier;
  if (specifier.case === "headerName") {
    requireHeader(specifier.value, at(path, "header_name"), context);
    const name = specifier.value.toLowerCase();
    return (request, random, source) =>
      pick(numberIn(readHeader(request, name), total) ?? random * total)(request, random, source);
  }
  if (specifier.case === "useHashPolicy" && specifier.value.value) {
    if (!hashPolicy) issues.add(at(path, "use_hash_policy"), "needs a `hash_policy` on the route");
    return (request, random, source) => {
      const hash = hashPolicy?.(source);
      return pick(hash ? largeRemainder(hash, total) : random * total)(request, random, source);
    };
  }
  return (request, random, source) => pick(random * total)(request, random, source);
}

function decodeEntry(
  entry: WeightedCluster_ClusterWeight,
  action: RouteAction,
  decodeFilterConfigs: DecodeFilterConfigs,
  path: string,
  context: DecodeContext,
): SelectCluster {
  const own = Object.fromEntries(subsetOf(entry.metadataMatch) ?? []);
  const merged = { ...Object.fromEntries(subsetOf(action.metadataMatch) ?? []), ...own };
  const subset = Object.entries(merged).sort(([a], [b]) => (a < b ? -1 : 1));
  const edits = (direction: "request" | "response") =>
    direction === "request"
      ? decodeHeaderEdits(entry.requestHeadersToAdd, entry.requestHeadersToRemove, path, direction, context)
      : decodeHeaderEdits(
          entry.responseHeadersToAdd,
          entry.responseHeadersToRemove,
          path,
          direction,
          context,
        );
  const rewrite = entry.hostRewriteSpecifier;
  const choice: ClusterChoice = {
    cluster: entry.name,
    subset: subset.length > 0 ? subset : undefined,
    requestEdits: edits("request"),
    responseEdits: edits("response"),
    authority: rewrite.case === "hostRewriteLiteral" && rewrite.value !== "" ? rewrite.value : undefined,
    filterConfigs: decodeFilterConfigs(entry.typedPerFilterConfig, at(path, "typed_per_filter_config")),
  };
  if (entry.clusterHeader === "") {
    requireCluster(entry.name, at(path, "name"), context);
    return () => choice;
  }
  requireHeader(entry.clusterHeader, at(path, "cluster_header"), context);
  if (entry.name !== "")
    context.issues.add(at(path, "cluster_header"), "excludes `name`", "keep one of them");
  return chooseByHeader(entry.clusterHeader, choice);
}

export function requireCluster(name: string, path: string, { issues, knownClusters }: DecodeContext): void {
  if (name === "") issues.add(path, "is empty", "name a cluster");
  else if (knownClusters && !knownClusters.has(name)) {
    issues.add(
      path,
      `unknown cluster '${name}'`,
      "define it under static_resources.clusters, or set `validate_clusters: false` when CDS brings it",
    );
  }
}

export function requireHeader(name: string, path: string, { issues }: DecodeContext): void {
  if (!/^:?[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) {
    issues.add(path, `${JSON.stringify(name)} is not a header name`);
  }
}

/** A decimal number of at most 64 bits, within `total` by its remainder. */
function numberIn(text: string | undefined, total: number): number | undefined {
  if (text === undefined || !/^\d{1,20}$/.test(text)) return undefined;
  if (text.length <= 15) return Number(text) % total;
  const value = BigInt(text);
  return value < 1n << 64n ? Number(value % BigInt(total)) : undefined;
}

/** The remainder of a hash by as much as 32 bits. */
function largeRemainder({ hi, lo }: Hash64, divisor: number): number {
  return Number(((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)) % BigInt(divisor));
}
