import { fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { messageOf, UserError } from "@weft/base/errors";
import { usualSeriesIdleMs } from "@weft/base/series-expiry";
import { type Bootstrap, BootstrapSchema } from "@weft/xds/gen/envoy/config/bootstrap/v3/bootstrap_pb";
import { metricSettings } from "@weft/xds/metric-settings";
import type { Locality } from "../cluster/locality-group.ts";
import type { SocketAddress } from "../net/socket-address.ts";
import { type ChosenSource, decodeConfigSource, decodeGrpcSource, type GrpcSource } from "./config-source.ts";
import { type DecodedOverload, decodeOverload } from "./decode-overload.ts";
import { decodeStatsMatcher } from "./decode-stats-matcher.ts";
import { decodeStatsSinks, type StatsSinks } from "./decode-stats-sinks.ts";
import { decodeAddress, durationMs } from "./decode-values.ts";
import type { ConfigDocument } from "./document.ts";
import { extensionRegistry } from "./extension-registry.ts";
import { type Issue, Issues } from "./issues.ts";
import { strictJson } from "./strict-json.ts";
import { reportUnsupported } from "./unsupported.ts";

const maxSeriesKey = "weft.metrics.max_series";
const nativeKey = "weft.metrics.native_histograms";

/** A bootstrap file whose every field is known and acted upon; its resources are not compiled yet. */
export interface BootstrapPlan {
  readonly message: Bootstrap;
  readonly admin: SocketAddress | undefined;
  /** Present when anything comes over ADS. */
  readonly ads: GrpcSource | undefined;
  /** Where listeners come from besides this file. */
  readonly lds: ChosenSource | undefined;
  /** Where clusters do. */
  readonly cds: ChosenSource | undefined;
  readonly runtime: ReadonlyMap<string, unknown>;
  readonly overload: DecodedOverload;
  readonly statsSinks: StatsSinks | undefined;
  /** Which statistics are shown and sent, by their dotted names; undefined: all. */
  readonly keepsStat: ((name: string) => boolean) | undefined;
  /** Series of requests that have not changed for so long are forgotten. */
  readonly statsEvictionMs: number;
  /** Of one of Istio's metrics; undefined: as usual. */
  readonly maxSeries: number | undefined;
  readonly hasNativeHistograms: boolean;
  /** Names of all clusters the file defines. */
  readonly staticClusters: ReadonlySet<string>;
  /** `cluster_manager.local_cluster_name` and where this proxy is. */
  readonly localCluster: { readonly name: string; readonly locality: Locality } | undefined;
  /** Names of the clusters behind ADS and SDS. */
  readonly managementClusters: ReadonlySet<string>;
  /** `file:line:column: ` of an issue found later in the same file. */
  place(issue: Issue): string;
}

/**
 * Reads an Envoy bootstrap. Throws a `UserError` that lists every mistake with
 * its file, line and column.
 */
export function decodeBootstrap(document: ConfigDocument): BootstrapPlan {
  const issues = new Issues();
  const place = (issue: Issue) => `${document.locate(issue.path)}: `;
  const json = strictJson(BootstrapSchema, document.value ?? {}, extensionRegistry, issues);
  throwIssues(issues, place);
  let message: Bootstrap;
  try {
    message = fromJson(BootstrapSchema, json, { registry: extensionRegistry });
  } catch (error) {
    throw new UserError(`${document.file}: ${messageOf(error)}`, { hint: "see the Envoy v3 API reference" });
  }
  reportUnsupported(BootstrapSchema, message, extensionRegistry, issues);
  const dynamic = message.dynamicResources;
  const staticClusters = new Set(message.staticResources?.clusters.map((cluster) => cluster.name));
  const context = { issues, staticClusters, hasAds: dynamic?.adsConfig !== undefined };
  const runtime = decodeRuntime(message);
  const plan: BootstrapPlan = {
    message,
    ...decodeSeries(message, runtime, issues),
    admin: message.admin?.address && decodeAddress(message.admin.address, "admin.address", issues),
    ads:
      dynamic?.adsConfig &&
      decodeGrpcSource(dynamic.adsConfig, "dynamic_resources.ads_config", staticClusters, issues),
    lds: dynamic?.ldsConfig && decodeConfigSource(dynamic.ldsConfig, "dynamic_resources.lds_config", context),
    cds: dynamic?.cdsConfig && decodeConfigSource(dynamic.cdsConfig, "dynamic_resources.cds_config", context),
    runtime,
    overload: decodeOverload(message.overloadManager, issues),
    statsSinks: decodeStatsSinks(message, issues),
    keepsStat: decodeStatsMatcher(message, issues),
    staticClusters,
    localCluster: decodeLocalCluster(message, issues),
    managementClusters: grpcClusters(message),
    place,
  };
  const asksServers = [plan.lds, plan.cds].some((chosen) => chosen?.source.startsWith("grpc:"));
  if ((plan.ads || asksServers) && (!message.node?.id || !message.node.cluster)) {
    issues.add(
      message.node ? "node" : plan.ads ? "dynamic_resources.ads_config" : "dynamic_resources",
      "xDS needs a node with `id` and `cluster`",
      "say who this proxy is",
    );
  }
  throwIssues(issues, place);
  return plan;
}

/** Ends a start when anything was found, naming all of it. */
export function throwIssues(issues: Issues, place: (issue: Issue) => string): void {
  if (!issues.isEmpty)
    throw new UserError(issues.format(place), { hint: "correct it and start again; nothing was started" });
}

function decodeLocalCluster(message: Bootstrap, issues: Issues): BootstrapPlan["localCluster"] {
  const name = message.clusterManager?.localClusterName;
  if (!name) return undefined;
  if (!message.staticResources?.clusters.some((cluster) => cluster.name === name)) {
    issues.add(
      "cluster_manager.local_cluster_name",
      `unknown cluster '${name}'`,
      "define it under static_resources.clusters",
    );
  }
  const { region = "", zone = "", subZone = "" } = message.node?.locality ?? {};
  return { name, locality: { region, zone, subZone } };
}

/** Every cluster a gRPC service in the file names: as messages nest deeply, the JSON form is searched. */
function grpcClusters(message: Bootstrap): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (value: JsonValue) => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      const name = key === "envoyGrpc" ? (inner as { readonly clusterName?: string }).clusterName : undefined;
      if (name) names.add(name);
      else visit(inner);
    }
  };
  visit(toJson(BootstrapSchema, message, { registry: extensionRegistry }));
  return names;
}

/** Later layers win; nested keys are joined by dots, as in Envoy. */
function decodeRuntime(message: Bootstrap): ReadonlyMap<string, unknown> {
  const values = new Map<string, unknown>();
  const visit = (prefix: string, value: unknown) => {
    if (typeof value !== "object" || value === null) {
      values.set(prefix, value);
      return;
    }
    for (const [key, inner] of Object.entries(value)) visit(prefix === "" ? key : `${prefix}.${key}`, inner);
  };
  for (const layer of message.layeredRuntime?.layers ?? []) {
    if (layer.layerSpecifier.case === "staticLayer") visit("", layer.layerSpecifier.value);
  }
  values.delete("");
  return values;
}

/**
 * `stats_eviction_interval`, and by runtime value how many series one of Istio's
 * metrics may have, and whether there are native histograms. What is left out the
 * environment may say.
 */
function decodeSeries(
  { statsEviction }: Bootstrap,
  runtime: ReadonlyMap<string, unknown>,
  issues: Issues,
): Pick<BootstrapPlan, "statsEvictionMs" | "maxSeries" | "hasNativeHistograms"> {
  const usual = metricSettings(process.env);
  const isSet = statsEviction.case === "statsEvictionInterval";
  const statsEvictionMs = isSet
    ? durationMs(statsEviction.value, 0)
    : (usual.seriesIdleMs ?? usualSeriesIdleMs);
  if (statsEvictionMs < 1_000) issues.add("stats_eviction_interval", "is too short", "at least 1s");
  const wanted = runtime.get(maxSeriesKey);
  const isNumber =
    typeof wanted === "number" && Number.isInteger(wanted) && wanted >= 1 && wanted <= 1_000_000;
  if (wanted !== undefined && !isNumber) {
    issues.add("layered_runtime", `${maxSeriesKey} is no number of series`, "1 to 1000000");
  }
  const native = runtime.get(nativeKey) ?? usual.hasNativeHistograms ?? false;
  if (typeof native !== "boolean") issues.add("layered_runtime", `${nativeKey} is neither true nor false`);
  return {
    statsEvictionMs,
    maxSeries: isNumber ? wanted : usual.maxSeries,
    hasNativeHistograms: native === true,
  };
}
