import type { Mesh, Service } from "../model/mesh.ts";
import { isHttp } from "../model/protocol.ts";
import type { RoutedMesh } from "./outbound-routes.ts";

/**
 * Whether calls to a service are told by the address they go to, whatever host
 * they name: in namespaces where routes of the Gateway API are attached, whose
 * services are their addresses. Elsewhere the host says it, as with Istio's API,
 * which takes one listener for a port and not one for each service.
 */
export function isFrontend(
  { namespace, addresses }: Service,
  { attached }: Pick<RoutedMesh, "attached">,
): boolean {
  return addresses.length > 0 && namespacesOf(attached).has(namespace);
}

/** Where requests to this port of a service are told by their address; none where the host says it. */
export function frontendAddresses(service: Service, port: number, mesh: RoutedMesh): readonly string[] {
  if (mesh.exceptPorts?.includes(port) || !isFrontend(service, mesh)) return [];
  const { protocol } = service.ports.find(({ number }) => number === port)!;
  return isHttp(protocol) ? service.addresses : [];
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
