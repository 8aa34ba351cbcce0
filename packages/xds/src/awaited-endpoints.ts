import {
  type Cluster,
  Cluster_DiscoveryType as DiscoveryType,
} from "./gen/envoy/config/cluster/v3/cluster_pb.js";
import type { Awaited } from "./snapshot.ts";
import { typeUrl } from "./type-url.ts";

/**
 * The assignment an EDS cluster warms up with. Envoy does not use a changed
 * cluster, nor answer for it, before it is given the endpoints anew: it asks for
 * them only where it did not have them.
 */
export function awaitedEndpoints(cluster: Cluster): Awaited | undefined {
  const { clusterDiscoveryType, edsClusterConfig, name } = cluster;
  const isEds = clusterDiscoveryType.case === "type" && clusterDiscoveryType.value === DiscoveryType.EDS;
  return isEds ? { typeUrl: typeUrl.endpoint, name: edsClusterConfig?.serviceName || name } : undefined;
}
