import { create, type JsonValue } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { BootstrapSchema } from "@weft/xds/gen/envoy/config/bootstrap/v3/bootstrap_pb";
import {
  type Cluster,
  ClusterSchema,
  Cluster_DiscoveryType as DiscoveryType,
} from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import type { ClusterLoadAssignment } from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_pb";
import type { Listener } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import type { RouteConfiguration } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import { HttpConnectionManagerSchema } from "@weft/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb";
import { messageJson } from "./mesh-fixture.ts";
import { pack, socketAddress } from "./messages.ts";
import { httpProtocolOptions } from "./protocol-options.ts";
import type { SidecarResources } from "./translate-sidecar.ts";

/**
 * The resources as one static bootstrap, so that a data plane can judge all of
 * them at once without a control plane: routes and endpoints are put where they
 * are referred to, and the agent's socket is stood in for.
 */
export function envoyBootstrap(resources: SidecarResources): JsonValue {
  const routes = new Map(resources.route.map((r) => [r.name, r.message as RouteConfiguration]));
  const endpoints = new Map(resources.endpoint.map((r) => [r.name, r.message as ClusterLoadAssignment]));
  const listeners = resources.listener.map(({ message }) => withRoutes(message as Listener, routes));
  const clusters = resources.cluster.map(({ message }) => withEndpoints(message as Cluster, endpoints));
  const bootstrap = create(BootstrapSchema, {
    node: { id: "sidecar~10.0.0.1~test.default~default.svc.cluster.local", cluster: "test.default" },
    staticResources: { listeners, clusters: [...clusters, agentSocket()] },
  });
  return messageJson(BootstrapSchema, bootstrap);
}

function withRoutes(listener: Listener, routes: ReadonlyMap<string, RouteConfiguration>): Listener {
  const chains = [
    ...listener.filterChains,
    ...(listener.defaultFilterChain ? [listener.defaultFilterChain] : []),
  ];
  for (const filter of chains.flatMap((chain) => chain.filters)) {
    if (filter.configType.case !== "typedConfig") continue;
    const manager = anyUnpack(filter.configType.value, HttpConnectionManagerSchema);
    if (manager?.routeSpecifier.case !== "rds") continue;
    const routeConfig = routes.get(manager.routeSpecifier.value.routeConfigName);
    if (!routeConfig) throw new Error(`${listener.name} refers to routes that are not there`);
    manager.routeSpecifier = { case: "routeConfig", value: routeConfig };
    filter.configType = { case: "typedConfig", value: pack(HttpConnectionManagerSchema, manager) };
  }
  return listener;
}

function withEndpoints(cluster: Cluster, endpoints: ReadonlyMap<string, ClusterLoadAssignment>): Cluster {
  if (!cluster.edsClusterConfig) return cluster;
  return create(ClusterSchema, {
    ...cluster,
    clusterDiscoveryType: { case: "type", value: DiscoveryType.STATIC },
    edsClusterConfig: undefined,
    loadAssignment: endpoints.get(cluster.name),
  });
}

function agentSocket(): Cluster {
  const endpoint = { address: socketAddress("127.0.0.1", 1) };
  const lbEndpoints = [{ hostIdentifier: { case: "endpoint" as const, value: endpoint } }];
  return create(ClusterSchema, {
    name: "sds-grpc",
    clusterDiscoveryType: { case: "type", value: DiscoveryType.STATIC },
    typedExtensionProtocolOptions: httpProtocolOptions("http2"),
    loadAssignment: { clusterName: "sds-grpc", endpoints: [{ lbEndpoints }] },
  });
}
