import type { ResourceOf } from "../config/resource.ts";
import { delegatesOf } from "./delegates.ts";
import type { GatewayRouting } from "./gateway.ts";
import { resolveHost } from "./host.ts";
import type { MeshOptions } from "./mesh-options.ts";
import { provenanceOf } from "./provenance.ts";
import { httpRoutesAt, resolveGateway, tcpRoutesAt, tlsRoutesAt } from "./routes-at.ts";
import { visibilityOf } from "./visibility.ts";

/**
 * What VirtualServices say to the gateways they name, by `namespace/name` of the
 * gateway and in order of their own. Several may route one host: their routes
 * stand one after the other there.
 */
export function buildGatewayRouting(
  virtualServices: readonly ResourceOf<"VirtualService">[],
  options: MeshOptions,
): Map<string, GatewayRouting[]> {
  const routing = new Map<string, GatewayRouting[]>();
  const delegates = delegatesOf(virtualServices);
  for (const resource of virtualServices) {
    const { spec, namespace, name } = resource;
    const visibleIn = visibilityOf(spec.exportTo, namespace);
    const keys = new Set(spec.gateways?.map((written) => resolveGateway(written, namespace)));
    for (const key of keys) {
      if (key === "mesh") continue;
      const list = routing.get(key) ?? [];
      list.push({
        hosts: (spec.hosts ?? []).map((host) => resolveHost(host, namespace, options)),
        namespace,
        name,
        ...(visibleIn ? { visibleIn } : {}),
        http: httpRoutesAt(key, resource, delegates, options),
        tcp: tcpRoutesAt(key, resource, options),
        tls: tlsRoutesAt(key, resource, options),
        source: provenanceOf(resource),
      });
      routing.set(key, list);
    }
  }
  return routing;
}
