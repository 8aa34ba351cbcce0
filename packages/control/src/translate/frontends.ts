import { create } from "@bufbuild/protobuf";
import { TrafficDirection } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import { type Listener, ListenerSchema } from "@weft/xds/gen/envoy/config/listener/v3/listener_pb";
import type { RouteConfiguration } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import type { AuthorizationProvider } from "../model/authorization-provider.ts";
import type { Mesh } from "../model/mesh.ts";
import type { MeshOptions } from "../model/mesh-options.ts";
import { isHttp } from "../model/protocol.ts";
import type { Service } from "../model/service.ts";
import { type Caller, callerKey } from "./caller.ts";
import { type ClientFeatures, featuresKey } from "./client-features.ts";
import { outboundHttp } from "./http-chain.ts";
import { listenable } from "./listener-parts.ts";
import { hostLiteral, istioMetadata, placesOf } from "./messages.ts";
import { listenerName } from "./names.ts";
import { upstreamRouteName } from "./outbound-listeners.ts";
import { upstreamRoutes } from "./outbound-routes.ts";
import { part, type SidecarPart } from "./part.ts";
import { routeAuthorizationName } from "./route-authorization.ts";
import { authorizersTo } from "./route-authorizers.ts";
import { routesFrom } from "./route-sources.ts";
import type { RoutedMesh } from "./routed-mesh.ts";

/**
 * Listeners and routes of services whose calls are told by the address they go
 * to, whatever host they name: in namespaces where routes of the Gateway API
 * are attached, whose services are their addresses. Elsewhere the host says it,
 * as with Istio's API, which takes one listener for a port and not one for each
 * service. Each service has parts of its own, so that a changed route makes no
 * listener anew.
 */
export function frontendParts(mesh: RoutedMesh, caller: Caller, features: ClientFeatures): SidecarPart[] {
  const { options } = mesh;
  const namespaces = namespacesOf(mesh.attached);
  return [...mesh.services.values()].flatMap((service) => {
    const ports = namespaces.has(service.namespace) ? portsOf(service, mesh) : [];
    if (ports.length === 0) return [];
    const variant = ports.join();
    const asked = new Map(ports.map((port) => [port, authorizersTo(service.hostname, port, mesh, caller)]));
    const names = [...asked.values()].map((own) => own.map(routeAuthorizationName).join()).join(" ");
    return [
      part(
        "frontend-listeners",
        "listener",
        [service, options],
        `${variant} ${featuresKey(features)} ${names}`,
        () => frontendListeners(service, asked, options, features),
      ),
      part(
        "frontend-routes",
        "route",
        routesFrom(service, mesh, caller),
        `${variant} ${callerKey(caller)}`,
        () => frontendRoutes(service, ports, mesh, caller),
      ),
    ];
  });
}

/** Ports where requests to the service arrive by its address. */
function portsOf({ addresses, ports }: Service, { exceptPorts = [] }: RoutedMesh): number[] {
  if (addresses.length === 0) return [];
  return ports
    .filter(({ number, protocol }) => isHttp(protocol) && !exceptPorts.includes(number))
    .map(({ number }) => number);
}

function frontendListeners(
  { hostname, addresses, source }: Service,
  ports: ReadonlyMap<number, readonly AuthorizationProvider[]>,
  options: MeshOptions,
  features: ClientFeatures,
): Listener[] {
  const own = listenable(addresses, features);
  const [first] = own;
  if (first === undefined) return [];
  return [...ports].map(([port, asked]) => {
    const statPrefix = `outbound_${hostLiteral(first)}_${port}`;
    const filter = outboundHttp(statPrefix, upstreamRouteName(hostname, port), asked, options, features);
    return create(ListenerSchema, {
      name: listenerName(first, port),
      ...placesOf(own, port),
      bindToPort: false,
      trafficDirection: TrafficDirection.OUTBOUND,
      filterChains: [{ filters: [filter] }],
      metadata: istioMetadata(source),
    });
  });
}

function frontendRoutes(
  { hostname }: Service,
  ports: readonly number[],
  mesh: RoutedMesh,
  caller: Caller,
): RouteConfiguration[] {
  return ports.map((port) => upstreamRoutes(upstreamRouteName(hostname, port), hostname, port, mesh, caller));
}

const known = new WeakMap<Mesh["attached"], ReadonlySet<string>>();

function namespacesOf(attached: Mesh["attached"]): ReadonlySet<string> {
  let namespaces = known.get(attached);
  if (!namespaces) {
    namespaces = new Set([...attached.values()].map(({ namespace }) => namespace));
    known.set(attached, namespaces);
  }
  return namespaces;
}
