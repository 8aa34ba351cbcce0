import { type Any, anyUnpack, type Duration } from "@bufbuild/protobuf/wkt";
import { messageOf } from "@weft/base/errors";
import type { ConfigSource } from "@weft/xds/gen/envoy/config/core/v3/config_source_pb";
import type { RouteConfiguration } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { OnDemandHostsSchema } from "@weft/xds/gen/weft/route/v1/on_demand_hosts_pb";
import { HostNames, onDemandHostsKey } from "@weft/xds/host-names";
import type { Discovery, DiscoveryOutcome } from "../layer/resource-discovery.ts";
import type { OnDemandSource } from "../route/on-demand-route-table.ts";
import { decodeConfigSource, parseSource } from "./config-source.ts";
import type { DecodeContext } from "./decode-context.ts";
import { timeoutMs } from "./decode-values.ts";
import { at, atKey } from "./issues.ts";

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
  const { issues, services } = context;
  const source = decodeDeltaSource(config, paths.source, "clusters", context);
  const limitMs = timeoutMs(timeout, defaultMs, paths.timeout, issues);
  if (source === undefined) return undefined;
  return (cluster, onAnswer) => services.clusterDiscovery.discover(source, cluster, limitMs, onAnswer);
}

/** How long a request waits for its virtual host: Envoy has no such limit. */
const hostTimeoutMs = 5_000;

/** How the virtual hosts of a route configuration are asked for; undefined where it has all of them itself. */
export function decodeVhds(
  { vhds, metadata }: RouteConfiguration,
  path: string,
  context: DecodeContext,
): OnDemandSource | undefined {
  if (!vhds) return undefined;
  const place = at(path, "vhds.config_source");
  const source = decodeDeltaSource(vhds.configSource, place, "virtual hosts", context);
  if (source === undefined) return undefined;
  const { hostDiscovery } = context.services;
  const typed = metadata?.typedFilterMetadata[onDemandHostsKey];
  return {
    source,
    discover: (name, onAnswer) => hostDiscovery.discover(source, name, hostTimeoutMs, onAnswer),
    names: typed && decodeNames(typed, at(path, "metadata"), context),
  };
}

function decodeNames(typed: Any, path: string, { issues }: DecodeContext): HostNames | undefined {
  const place = atKey(at(path, "typed_filter_metadata"), onDemandHostsKey);
  try {
    const message = anyUnpack(typed, OnDemandHostsSchema);
    if (message) return new HostNames(message);
    issues.add(place, `is not a ${OnDemandHostsSchema.typeName}`);
  } catch (error) {
    issues.add(place, `is not a ${OnDemandHostsSchema.typeName}: ${messageOf(error)}`);
  }
  return undefined;
}

function decodeDeltaSource(
  config: ConfigSource | undefined,
  path: string,
  what: string,
  context: DecodeContext,
): string | undefined {
  const source = decodeConfigSource(config, path, context)?.source;
  if (source === undefined) return undefined;
  const origin = parseSource(source);
  const isDelta = origin.kind === "ads" ? context.isAdsDelta : origin.kind === "grpc" && origin.isDelta;
  if (!isDelta) {
    context.issues.add(path, `is not asked by delta xDS, which ${what} on demand need`, "use DELTA_GRPC");
  }
  return source;
}
