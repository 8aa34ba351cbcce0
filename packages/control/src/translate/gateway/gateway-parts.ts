import type { GatewayListener, GatewayRole, GatewayServer } from "../../model/gateway.ts";
import type { MeshWorkload } from "../../model/mesh.ts";
import type { SeenMesh } from "../../model/view.ts";
import { type ClientFeatures, featuresKey } from "../client-features.ts";
import { part, type SidecarPart } from "../part.ts";
import { placeOf } from "../place.ts";
import { gatewayListeners } from "./gateway-listeners.ts";
import { plainRouteName, securedRouteName } from "./gateway-names.ts";
import { gatewayRoutes } from "./gateway-routes.ts";
import { gatewaySecrets } from "./gateway-secrets.ts";
import { passesMembers, passthroughAssignments, passthroughClusters } from "./passthrough-services.ts";

/** What is given to the proxies of one gateway alone: where it listens, its routes, and its certificates. */
export function gatewayParts(
  mesh: SeenMesh,
  workload: MeshWorkload,
  features: ClientFeatures,
): SidecarPart[] {
  const gateway = workload.gateway!;
  const { options, services, gatewayRouting, secrets } = mesh;
  const caller = { namespace: workload.namespace, labels: workload.labels };
  const routesFrom = [workload, services, gatewayRouting, options];
  return [
    part("gateway-secrets", "secret", [workload, secrets, services], "", () =>
      gatewaySecrets(gateway, workload.namespace, mesh),
    ),
    part("gateway-listeners", "listener", [...routesFrom, secrets], featuresKey(features), () =>
      gatewayListeners({ mesh, workload, caller, features }),
    ),
    ...(passesMembers(gateway) ? passthroughParts(mesh, workload, gateway, features) : []),
    ...gateway.listeners.flatMap((listener) =>
      routeTables(listener).map(([name, servers]) =>
        part(name, "route", routesFrom, "", () => [gatewayRoutes(name, listener, servers, mesh, caller)]),
      ),
    ),
  ];
}

function passthroughParts(
  mesh: SeenMesh,
  workload: MeshWorkload,
  gateway: GatewayRole,
  features: ClientFeatures,
): SidecarPart[] {
  const { services, endpoints, options } = mesh;
  const place = placeOf(workload, mesh);
  return [
    part("passthrough-clusters", "cluster", [workload, services, options], "", () =>
      passthroughClusters(gateway, mesh),
    ),
    part(
      "passthrough-endpoints",
      "endpoint",
      [workload, services, endpoints, options],
      `${features.hasIpv6}`,
      () => passthroughAssignments(gateway, mesh, place, features),
    ),
  ];
}

/** The route configurations of a listener: one for all its plain servers, or one for each that ends TLS. */
function routeTables(
  listener: GatewayListener,
): (readonly [name: string, servers: readonly GatewayServer[]])[] {
  if (listener.kind === "http") return [[plainRouteName(listener), listener.servers]];
  return listener.servers
    .filter(({ protocol, tls }) => protocol === "https" && tls !== undefined)
    .map((server) => [securedRouteName(listener, server), [server]]);
}
