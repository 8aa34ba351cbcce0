import type { Message } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { awaitedEndpoints } from "@weft/xds/awaited-endpoints";
import type { Cluster } from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import type { Listener } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import { HttpConnectionManagerSchema } from "@weft/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import type { PartType } from "../translate/part.ts";

/** Another resource that a data plane will wait for before it uses this one. */
export interface Reference {
  readonly type: PartType;
  readonly name: string;
}

/**
 * What a resource cannot be used without: a listener its route configurations,
 * an EDS cluster its assignment. (A route may name a cluster that is not there:
 * its calls are answered with 503, and only those.)
 */
export function referencesOf(type: PartType, message: Message): Reference[] {
  if (type === "cluster") {
    const awaited = awaitedEndpoints(message as Cluster);
    return awaited ? [{ type: "endpoint", name: awaited.name }] : [];
  }
  if (type !== "listener") return [];
  const { filterChains, defaultFilterChain, apiListener } = message as Listener;
  const filters = [...filterChains, ...(defaultFilterChain ? [defaultFilterChain] : [])]
    .flatMap((chain) => chain.filters)
    .map(({ configType }) => (configType.case === "typedConfig" ? configType.value : undefined));
  return [apiListener?.apiListener, ...filters].flatMap((packed) => {
    const manager = packed && anyUnpack(packed, HttpConnectionManagerSchema);
    if (manager?.routeSpecifier.case !== "rds") return [];
    return [{ type: "route" as const, name: manager.routeSpecifier.value.routeConfigName }];
  });
}
