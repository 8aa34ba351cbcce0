import { fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { messageOf, UserError } from "@weft/base/errors";
import { type Bootstrap, BootstrapSchema } from "@weft/xds/gen/envoy/config/bootstrap/v3/bootstrap_pb";
import {
  type ApiConfigSource,
  ApiConfigSource_ApiType as ApiType,
  type ConfigSource,
} from "@weft/xds/gen/envoy/config/core/v3/config_source_pb";
import type { Locality } from "../cluster/locality-group.ts";
import type { SocketAddress } from "../net/socket-address.ts";
import { decodeAddress, timeoutMs } from "./decode-values.ts";
import type { ConfigDocument } from "./document.ts";
import { extensionRegistry } from "./extension-registry.ts";
import { at, type Issue, Issues } from "./issues.ts";
import { checkJson } from "./strict-json.ts";
import { reportUnsupported } from "./unsupported.ts";

/** How to reach a management server: a gRPC stream through a static cluster. */
export interface GrpcTarget {
  readonly cluster: string;
  readonly authority: string | undefined;
  readonly metadata: readonly (readonly [name: string, value: string])[];
  readonly isDelta: boolean;
}

/** A bootstrap file whose every field is known and acted upon; its resources are not compiled yet. */
export interface BootstrapPlan {
  readonly message: Bootstrap;
  readonly admin: SocketAddress | undefined;
  /** Present when anything comes over ADS. */
  readonly ads: GrpcTarget | undefined;
  readonly listensToLds: boolean;
  readonly listensToCds: boolean;
  /** How long a first response is waited for, in milliseconds; 0 is for ever. */
  readonly initialFetchTimeoutMs: number;
  readonly runtime: ReadonlyMap<string, unknown>;
  /** Names of all clusters the file defines. */
  readonly staticClusters: ReadonlySet<string>;
  /** `cluster_manager.local_cluster_name` and where this proxy is. */
  readonly localCluster: { readonly name: string; readonly locality: Locality } | undefined;
  /** Names of the clusters behind ADS and SDS. */
  readonly managementClusters: ReadonlySet<string>;
  /** `file:line:column: ` of an issue found later in the same file. */
  place(issue: Issue): string;
}

const defaultInitialFetchTimeoutMs = 15_000;

/**
 * Reads an Envoy bootstrap. Throws a `UserError` that lists every mistake with
 * its file, line and column.
 */
export function decodeBootstrap(document: ConfigDocument): BootstrapPlan {
  const issues = new Issues();
  const place = (issue: Issue) => `${document.locate(issue.path)}: `;
  checkJson(BootstrapSchema, document.value ?? {}, extensionRegistry, issues);
  throwIssues(issues, place);
  let message: Bootstrap;
  try {
    message = fromJson(BootstrapSchema, (document.value ?? {}) as JsonValue, { registry: extensionRegistry });
  } catch (error) {
    throw new UserError(`${document.file}: ${messageOf(error)}`, { hint: "see the Envoy v3 API reference" });
  }
  reportUnsupported(BootstrapSchema, message, extensionRegistry, issues);
  const dynamic = message.dynamicResources;
  const sources: readonly (readonly [string, ConfigSource | undefined])[] = [
    ["dynamic_resources.lds_config", dynamic?.ldsConfig],
    ["dynamic_resources.cds_config", dynamic?.cdsConfig],
  ];
  for (const [path, source] of sources) requireAds(source, dynamic?.adsConfig !== undefined, path, issues);
  const plan: BootstrapPlan = {
    message,
    admin: message.admin?.address && decodeAddress(message.admin.address, "admin.address", issues),
    ads:
      dynamic?.adsConfig &&
      decodeGrpcTarget(dynamic.adsConfig, "dynamic_resources.ads_config", message, issues),
    listensToLds: dynamic?.ldsConfig !== undefined,
    listensToCds: dynamic?.cdsConfig !== undefined,
    initialFetchTimeoutMs: timeoutMs(
      dynamic?.cdsConfig?.initialFetchTimeout ?? dynamic?.ldsConfig?.initialFetchTimeout,
      defaultInitialFetchTimeoutMs,
      "dynamic_resources.cds_config.initial_fetch_timeout",
      issues,
    ),
    runtime: decodeRuntime(message),
    staticClusters: new Set(message.staticResources?.clusters.map((cluster) => cluster.name)),
    localCluster: decodeLocalCluster(message, issues),
    managementClusters: grpcClusters(message),
    place,
  };
  if (plan.ads && (!message.node?.id || !message.node.cluster)) {
    issues.add(
      message.node ? "node" : "dynamic_resources.ads_config",
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

function requireAds(source: ConfigSource | undefined, hasAds: boolean, path: string, issues: Issues): void {
  if (!source) return;
  if (source.configSourceSpecifier.case !== "ads") {
    issues.add(path, "configuration comes over ADS only", "set `ads: {}` and dynamic_resources.ads_config");
  } else if (!hasAds) {
    issues.add(path, "needs dynamic_resources.ads_config", "say where the ADS server is");
  }
}

function decodeGrpcTarget(
  config: ApiConfigSource,
  path: string,
  message: Bootstrap,
  issues: Issues,
): GrpcTarget | undefined {
  if (![ApiType.GRPC, ApiType.DELTA_GRPC].includes(config.apiType)) {
    issues.add(
      at(path, "api_type"),
      `${ApiType[config.apiType]} is not spoken by this proxy`,
      "use GRPC or DELTA_GRPC",
    );
  }
  if (config.grpcServices.length !== 1) {
    issues.add(at(path, "grpc_services"), `names ${config.grpcServices.length} services`, "name exactly one");
  }
  const service = config.grpcServices[0];
  const target = service?.targetSpecifier;
  if (target?.case !== "envoyGrpc") {
    issues.add(`${at(path, "grpc_services")}[0]`, "needs `envoy_grpc.cluster_name`");
    return undefined;
  }
  const { clusterName, authority } = target.value;
  if (!message.staticResources?.clusters.some((cluster) => cluster.name === clusterName)) {
    issues.add(
      `${at(path, "grpc_services")}[0].envoy_grpc.cluster_name`,
      `unknown cluster '${clusterName}'`,
      "define it under static_resources.clusters",
    );
  }
  return {
    cluster: clusterName,
    authority: authority || undefined,
    metadata: service?.initialMetadata.map(({ key, value }) => [key, value] as const) ?? [],
    isDelta: config.apiType === ApiType.DELTA_GRPC,
  };
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
