import type { Duration } from "@bufbuild/protobuf/wkt";
import type { ConfigSource } from "@weft/xds/gen/envoy/config/core/v3/config_source_pb";
import type { Discovery, DiscoveryOutcome } from "../cluster/cluster-discovery.ts";
import { decodeConfigSource, parseSource } from "./config-source.ts";
import type { DecodeContext } from "./decode-context.ts";
import { timeoutMs } from "./decode-values.ts";

interface Written {
  readonly source: ConfigSource | undefined;
  readonly timeout: Duration | undefined;
  readonly defaultMs: number;
}

/** Ready to ask; undefined where an issue was reported. A cluster is asked for by name, which only delta xDS can do beside others. */
export function decodeOnDemandSource(
  { source: config, timeout, defaultMs }: Written,
  paths: { readonly source: string; readonly timeout: string },
  context: DecodeContext,
): ((cluster: string, onAnswer: (outcome: DiscoveryOutcome) => void) => Discovery) | undefined {
  const { issues, services, isAdsDelta } = context;
  const chosen = decodeConfigSource(config, paths.source, context);
  const limitMs = timeoutMs(timeout, defaultMs, paths.timeout, issues);
  if (!chosen) return undefined;
  const { source } = chosen;
  const origin = parseSource(source);
  const isDelta = origin.kind === "ads" ? isAdsDelta : origin.kind === "grpc" && origin.isDelta;
  if (!isDelta) {
    issues.add(paths.source, "is not asked by delta xDS, which clusters on demand need", "use DELTA_GRPC");
  }
  return (cluster, onAnswer) => services.clusterDiscovery.discover(source, cluster, limitMs, onAnswer);
}
