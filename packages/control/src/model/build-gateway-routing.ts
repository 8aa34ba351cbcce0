import type { ResourceOf } from "../config/resource.ts";
import { type Delegates, delegatesOf } from "./delegates.ts";
import type { GatewayRouting } from "./gateway.ts";
import { resolveHost } from "./host.ts";
import type { MeshOptions } from "./mesh-options.ts";
import { provenanceOf } from "./provenance.ts";
import { httpRoutesAt, resolveGateway, tcpRoutesAt, tlsRoutesAt } from "./routes-at.ts";
import { visibilityOf } from "./visibility.ts";

type VirtualService = ResourceOf<"VirtualService">;

/**
 * What VirtualServices say to the gateways they name, by `namespace/name` of the
 * gateway and in order of their own. Several may route one host: their routes
 * stand one after the other there.
 */
export function buildGatewayRouting(
  virtualServices: readonly VirtualService[],
  options: MeshOptions,
): Map<string, GatewayRouting[]> {
  const routing = new Map<string, GatewayRouting[]>();
  const delegates = delegatesOf(virtualServices);
  for (const resource of virtualServices) {
    const { spec, namespace } = resource;
    if (!spec.gateways) continue;
    for (const key of new Set(spec.gateways.map((written) => resolveGateway(written, namespace)))) {
      if (key === "mesh") continue;
      const list = routing.get(key);
      const own = routingAt(key, resource, delegates, options);
      if (list) list.push(own);
      else routing.set(key, [own]);
    }
  }
  return routing;
}

interface Made {
  readonly options: MeshOptions;
  readonly byGateway: Map<string, GatewayRouting>;
}

const made = new WeakMap<VirtualService, Made>();

/** The very same object for the same VirtualService, so that what is made of it can be kept; not where it delegates. */
function routingAt(
  key: string,
  resource: VirtualService,
  delegates: Delegates,
  options: MeshOptions,
): GatewayRouting {
  const { spec, namespace, name } = resource;
  let own = made.get(resource);
  if (own?.options !== options || spec.http?.some(({ delegate }) => delegate)) {
    own = { options, byGateway: new Map() };
    made.set(resource, own);
  }
  let routing = own.byGateway.get(key);
  if (!routing) {
    const visibleIn = visibilityOf(spec.exportTo, namespace);
    routing = {
      hosts: (spec.hosts ?? []).map((host) => resolveHost(host, namespace, options)),
      namespace,
      name,
      ...(visibleIn ? { visibleIn } : {}),
      http: httpRoutesAt(key, resource, delegates, options),
      tcp: tcpRoutesAt(key, resource, options),
      tls: tlsRoutesAt(key, resource, options),
      source: provenanceOf(resource),
    };
    own.byGateway.set(key, routing);
  }
  return routing;
}
