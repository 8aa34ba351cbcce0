import {
  type ApiConfigSource,
  ApiConfigSource_ApiType as ApiType,
  type ConfigSource,
} from "@weft/xds/gen/envoy/config/core/v3/config_source_pb";
import type { DecodeContext } from "./decode-context.ts";
import { requireAds, timeoutMs } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";

/** How to reach a management server over gRPC: through a cluster of the bootstrap. */
export interface GrpcSource {
  readonly cluster: string;
  readonly authority: string | undefined;
  readonly metadata: readonly (readonly [name: string, value: string])[];
  readonly isDelta: boolean;
}

/** Where resources come from. */
export type ConfigOrigin =
  | { readonly kind: "ads" }
  /** A DiscoveryResponse in a file; `watched` is the directory whose changes announce a new one. */
  | { readonly kind: "path"; readonly file: string; readonly watched: string | undefined }
  /** A server of one type. */
  | ({ readonly kind: "grpc" } & GrpcSource);

/** A decoded `ConfigSource`. */
export interface ChosenSource {
  /** Text that names the origin: equal sources share a stream. Has no blank in it. */
  readonly source: string;
  /** How long a first response is waited for, in milliseconds; 0 is for ever. */
  readonly fetchTimeoutMs: number;
}

const defaultFetchTimeoutMs = 15_000;

/**
 * Decodes where something comes from; undefined when that cannot be, which has been reported.
 *
 * @see envoy.config.core.v3.ConfigSource
 */
export function decodeConfigSource(
  config: ConfigSource | undefined,
  path: string,
  context: Pick<DecodeContext, "hasAds" | "issues" | "staticClusters">,
): ChosenSource | undefined {
  const { issues } = context;
  const origin = decodeOrigin(config, path, context);
  return (
    origin && {
      source: formatSource(origin),
      fetchTimeoutMs: timeoutMs(
        config?.initialFetchTimeout,
        defaultFetchTimeoutMs,
        at(path, "initial_fetch_timeout"),
        issues,
      ),
    }
  );
}

function decodeOrigin(
  config: ConfigSource | undefined,
  path: string,
  context: Pick<DecodeContext, "hasAds" | "issues" | "staticClusters">,
): ConfigOrigin | undefined {
  const specifier = config?.configSourceSpecifier;
  switch (specifier?.case) {
    case "ads":
      requireAds(path, context);
      return { kind: "ads" };
    case "pathConfigSource":
      return { kind: "path", file: specifier.value.path, watched: specifier.value.watchedDirectory?.path };
    case "path":
      return { kind: "path", file: specifier.value, watched: undefined };
    case "apiConfigSource": {
      const { staticClusters, issues } = context;
      const grpc = decodeGrpcSource(specifier.value, at(path, "api_config_source"), staticClusters, issues);
      return grpc && { kind: "grpc", ...grpc };
    }
    default:
      context.issues.add(path, "needs one of `ads`, `api_config_source`, `path_config_source`");
      return undefined;
  }
}

/** Decodes a gRPC management server. @see envoy.config.core.v3.ApiConfigSource */
export function decodeGrpcSource(
  config: ApiConfigSource,
  path: string,
  staticClusters: ReadonlySet<string>,
  issues: Issues,
): GrpcSource | undefined {
  if (![ApiType.GRPC, ApiType.DELTA_GRPC].includes(config.apiType)) {
    const hint = "use GRPC or DELTA_GRPC";
    issues.add(at(path, "api_type"), `${ApiType[config.apiType]} is not spoken by this proxy`, hint);
  }
  const services = at(path, "grpc_services");
  if (config.grpcServices.length !== 1) {
    issues.add(services, `names ${config.grpcServices.length} services`, "name exactly one");
  }
  const service = config.grpcServices[0];
  if (service?.timeout) {
    issues.add(`${services}[0].timeout`, "a stream of configuration has no time to end by", "remove it");
  }
  const target = service?.targetSpecifier;
  if (target?.case !== "envoyGrpc") {
    issues.add(`${services}[0]`, "needs `envoy_grpc.cluster_name`");
    return undefined;
  }
  const { clusterName, authority } = target.value;
  if (!staticClusters.has(clusterName)) {
    issues.add(
      `${services}[0].envoy_grpc.cluster_name`,
      `unknown cluster '${clusterName}'`,
      "define it under static_resources.clusters of the bootstrap",
    );
  }
  return {
    cluster: clusterName,
    authority: authority || undefined,
    metadata: service?.initialMetadata.map(({ key, value }) => [key, value] as const) ?? [],
    isDelta: config.apiType === ApiType.DELTA_GRPC,
  };
}

/** `ads`, `path:<file>` or `grpc:<cluster>`, with what else tells two apart behind a `#`. */
function formatSource(origin: ConfigOrigin): string {
  if (origin.kind === "ads") return "ads";
  const { kind, ...rest } = origin;
  const main = "file" in rest ? rest.file : rest.cluster;
  const isPlain =
    "file" in rest
      ? rest.watched === undefined
      : !rest.isDelta && rest.authority === undefined && rest.metadata.length === 0;
  return `${kind}:${encodeURIComponent(main)}${isPlain ? "" : `#${encodeURIComponent(JSON.stringify(rest))}`}`;
}

/** The origin a `ChosenSource.source` names. */
export function parseSource(source: string): ConfigOrigin {
  const [, kind, main = "", more] = /^(ads|path|grpc)(?::([^#]*)(?:#(.*))?)?$/.exec(source) ?? [];
  const name = decodeURIComponent(main);
  const rest = more === undefined ? {} : (JSON.parse(decodeURIComponent(more)) as object);
  if (kind === "path") return { kind, file: name, watched: undefined, ...rest };
  if (kind === "grpc") {
    return { kind, cluster: name, authority: undefined, metadata: [], isDelta: false, ...rest };
  }
  return { kind: "ads" };
}
