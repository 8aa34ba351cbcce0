import type { Mesh, MeshWorkload } from "../../model/mesh.ts";
import type { MeshOptions } from "../../model/mesh-options.ts";
import { isHttp } from "../../model/protocol.ts";
import type { Service } from "../../model/service.ts";
import type { SeenMesh } from "../../model/view.ts";
import { type Caller, callerKey } from "../caller.ts";
import { type CommonParts, endpointsPart, none, part, type SidecarPart } from "../part.ts";
import type { Place } from "../place.ts";
import { routesFrom } from "../route-sources.ts";
import type { RoutedMesh } from "../routed-mesh.ts";
import { proxylessClusters } from "./proxyless-clusters.ts";
import { clientListeners, serverListeners } from "./proxyless-listeners.ts";
import { proxylessRoutes } from "./proxyless-routes.ts";

/**
 * What gRPC applications without a sidecar are given that call alike: for each
 * port of each service a listener by every name it may be called by, its
 * routes, its clusters and endpoints. Only fields that gRPC's implementations take.
 */
export function commonProxylessParts(mesh: SeenMesh, caller: Caller, place: Place): CommonParts {
  const { attached, egress, options, routing, services } = mesh;
  const known = egress?.listeners[0]?.known ?? services;
  const routed = { options, routing, attached, services: egress?.services ?? services, known };
  return {
    byService: {
      services,
      endpoints: mesh.endpoints,
      from: [options],
      of: (service) => clusterParts(service, mesh, place),
    },
    rest: () => [...routed.services.values()].flatMap((service) => callParts(service, routed, caller)),
  };
}

/** Listeners for the ports an application serves itself. */
export function ownProxylessParts(workload: MeshWorkload, options: MeshOptions): SidecarPart[] {
  return [part("grpc-server", "listener", [workload, options], "", () => serverListeners(workload, options))];
}

function callParts(service: Service, mesh: RoutedMesh, caller: Caller): SidecarPart[] {
  const { options } = mesh;
  if (!service.ports.some((port) => isHttp(port.protocol))) return [];
  return [
    part("grpc-listeners", "listener", [service, options], caller.namespace, () =>
      clientListeners(service, caller, options),
    ),
    part("grpc-routes", "route", routesFrom(service, mesh, caller), callerKey(caller), () =>
      proxylessRoutes(service, mesh, caller),
    ),
  ];
}

function clusterParts(service: Service, mesh: Mesh, place: Place): SidecarPart[] {
  const { options } = mesh;
  if (!service.ports.some((port) => isHttp(port.protocol))) return [];
  const endpoints = mesh.endpoints.get(service.hostname) ?? none;
  const isSecured = endpoints.some((endpoint) => endpoint.ports.some((port) => port.isMutualTls));
  const isByDns = service.resolution.startsWith("dns");
  return [
    part(
      "grpc-clusters",
      "cluster",
      isByDns ? [service, endpoints, options] : [service, options],
      String(isSecured),
      () => proxylessClusters(service, isByDns ? endpoints : none, isSecured, options),
    ),
    endpointsPart(service, endpoints, { place, usual: options.defaults.locality, hasIpv6: true }),
  ];
}
