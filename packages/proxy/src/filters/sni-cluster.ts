import type { NetworkFilter } from "../layer/network-filter.ts";

/**
 * Names the cluster of a TCP proxy by the server name the client asked for.
 *
 * @see envoy.extensions.filters.network.sni_cluster.v3.SniCluster
 */
export function createSniClusterFilter(name: string): NetworkFilter {
  return {
    name,
    onConnection(connection) {
      if (connection.requestedServerName !== "") connection.clusterName = connection.requestedServerName;
      return true;
    },
  };
}
