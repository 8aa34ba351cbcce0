import { create } from "@bufbuild/protobuf";
import {
  type Cluster,
  ClusterSchema,
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_LbPolicy as LbPolicy,
} from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import { BindConfigSchema } from "@weft/xds/gen/envoy/config/core/v3/address_pb";
import { loopbackAddresses } from "@weft/xds/loopback-addresses";
import type { InboundPort, MeshWorkload } from "../model/mesh.ts";
import type { MeshOptions } from "../model/mesh-options.ts";
import { isHttp } from "../model/protocol.ts";
import { noPolicy } from "../model/traffic-policy.ts";
import type { ClientFeatures } from "./client-features.ts";
import { duration, istioMetadata, pipeAddress, placesOf } from "./messages.ts";
import { blackHoleCluster, inboundName, inboundPassthroughCluster, passthroughCluster } from "./names.ts";
import { type HttpVersion, httpProtocolOptions } from "./protocol-options.ts";
import { circuitBreakers, tcpKeepalive } from "./traffic-policy.ts";

/** What every sidecar has: the way out for hosts the mesh does not know, and the way nowhere. */
export function outboundFixedClusters(options: MeshOptions): Cluster[] {
  const blackHole = create(ClusterSchema, {
    name: blackHoleCluster,
    clusterDiscoveryType: { case: "type", value: DiscoveryType.STATIC },
    connectTimeout: duration(options.defaults.connectTimeoutMs),
    loadAssignment: { clusterName: blackHoleCluster },
  });
  return [blackHole, originalDst(passthroughCluster, options)];
}

/**
 * The application's ports on loopback, where it may listen without being
 * reachable around the sidecar; and, with traffic captured, any other port.
 * Without interception an application whose sidecar took another port of the
 * workload's address listens on that address itself: loopback is shared.
 */
export function inboundClusters(
  workload: MeshWorkload,
  options: MeshOptions,
  features: ClientFeatures,
): Cluster[] {
  const clusters = workload.inbound.map((port) => inboundCluster(port, workload, options));
  if (workload.interception === "REDIRECT") clusters.push(inboundPassthrough(options, features));
  return clusters;
}

function inboundCluster(inbound: InboundPort, workload: MeshWorkload, options: MeshOptions): Cluster {
  const { port, service, pool } = inbound;
  const version = versionOf(inbound);
  const name = inboundName(port);
  const endpoint = applicationPlace(inbound, workload);
  const lbEndpoint = { hostIdentifier: { case: "endpoint" as const, value: endpoint } };
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: "type", value: DiscoveryType.STATIC },
    connectTimeout: duration(pool?.connectTimeoutMs ?? options.defaults.connectTimeoutMs),
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [lbEndpoint] }] },
    circuitBreakers: circuitBreakers({ ...noPolicy, connectionPool: pool }),
    ...(version
      ? { typedExtensionProtocolOptions: httpProtocolOptions(version, { connectionPool: pool }) }
      : {}),
    ...tcpKeepalive(pool),
    metadata: service
      ? istioMetadata(undefined, {
          services: [{ host: service.hostname, name: service.name, namespace: service.namespace }],
        })
      : undefined,
  });
}

/** What the application is spoken to in; undefined where that is no HTTP. */
function versionOf({ protocol, followsClients }: InboundPort): HttpVersion | undefined {
  if (!isHttp(protocol)) return undefined;
  if (followsClients) return "as-client";
  return protocol === "http" ? "http1" : "http2";
}

function applicationPlace(
  { port, listenPort, endpoint }: InboundPort,
  { interception, addresses }: MeshWorkload,
) {
  if (endpoint && "path" in endpoint) return { address: pipeAddress(endpoint.path) };
  if (endpoint) return placesOf([endpoint.address], endpoint.port);
  const hasOwnAddress = interception === "NONE" && listenPort !== port && addresses.length > 0;
  return placesOf(hasOwnAddress ? addresses : loopbackAddresses(addresses), port);
}

/** Leaves from 127.0.0.6 or ::6, by which the capture rules know that it has been through the sidecar. */
function inboundPassthrough(options: MeshOptions, { hasIpv6 }: ClientFeatures): Cluster {
  const cluster = originalDst(inboundPassthroughCluster, options);
  const anyPort = { case: "portValue" as const, value: 0 };
  cluster.upstreamBindConfig = create(BindConfigSchema, {
    sourceAddress: { address: "127.0.0.6", portSpecifier: anyPort },
    extraSourceAddresses: hasIpv6 ? [{ address: { address: "::6", portSpecifier: anyPort } }] : [],
  });
  return cluster;
}

function originalDst(name: string, options: MeshOptions): Cluster {
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: "type", value: DiscoveryType.ORIGINAL_DST },
    lbPolicy: LbPolicy.CLUSTER_PROVIDED,
    connectTimeout: duration(options.defaults.connectTimeoutMs),
    circuitBreakers: circuitBreakers(noPolicy),
  });
}
