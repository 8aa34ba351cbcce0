import type { Diagnostics } from "@weft/base/diagnostics";
import type { Origin } from "@weft/base/origin";
import type { ResourceOf } from "../config/resource.ts";
import { type Delegates, delegatesOf } from "./delegates.ts";
import { namespaceOf, resolveHost } from "./host.ts";
import type { MeshOptions } from "./mesh-options.ts";
import { provenanceOf } from "./provenance.ts";
import { httpRoutesAt, tcpRoutesAt, tlsRoutesAt } from "./routes-at.ts";
import type { HostRouting } from "./routing.ts";
import { contend, type Visible, visibilityOf } from "./visibility.ts";

type VirtualService = ResourceOf<"VirtualService">;

interface Owner extends Visible {
  readonly resource: VirtualService;
  readonly at: Origin;
}

/** The routing of every host that a VirtualService names for sidecars. */
export function buildRouting(
  virtualServices: readonly VirtualService[],
  options: MeshOptions,
  diagnostics: Diagnostics,
): Map<string, HostRouting> {
  const routing = new Map<string, HostRouting>();
  const owners = new Map<string, Owner[]>();
  const delegates = delegatesOf(virtualServices);
  for (const { resource, host, index } of claims(virtualServices, options)) {
    const { spec, namespace, name } = resource;
    const visibleIn = visibilityOf(spec.exportTo, namespace);
    const others = owners.get(host) ?? [];
    if (others.some((owner) => owner.resource === resource)) continue;
    const at = resource.origins.at(`spec.hosts[${index}]`);
    const rival = others.find((owner) => contend(owner, { namespace, visibleIn }));
    if (rival) {
      const message = `VirtualServices "${rival.resource.name}" and "${name}" both route ${host}: only one can`;
      diagnostics.conflict("IST0109", at, rival.at, message, "merge them into one");
      continue;
    }
    owners.set(host, [...others, { resource, at, namespace, visibleIn }]);
    const key = others.length === 0 ? host : `${host} ${namespace}/${name}`;
    routing.set(key, hostRouting(host, resource, delegates, options));
  }
  return routing;
}

interface MadeRouting {
  readonly options: MeshOptions;
  readonly routes: Pick<HostRouting, "http" | "tcp" | "tls">;
  readonly byHost: Map<string, HostRouting>;
}

const made = new WeakMap<VirtualService, MadeRouting>();

/** The very same object for the same VirtualService, so that what is made of it can be kept; not where it delegates. */
function hostRouting(
  host: string,
  resource: VirtualService,
  delegates: Delegates,
  options: MeshOptions,
): HostRouting {
  const { namespace, name, spec } = resource;
  let own = made.get(resource);
  if (own?.options !== options || spec.http?.some(({ delegate }) => delegate)) {
    const http = httpRoutesAt("mesh", resource, delegates, options);
    const tcp = tcpRoutesAt("mesh", resource, options);
    const tls = tlsRoutesAt("mesh", resource, options);
    own = { options, routes: { http, tcp, tls }, byHost: new Map() };
    made.set(resource, own);
  }
  const visibleIn = visibilityOf(spec.exportTo, namespace);
  const routing = own.byHost.get(host) ?? {
    host,
    namespace,
    name,
    ...(visibleIn ? { visibleIn } : {}),
    ...own.routes,
    source: provenanceOf(resource),
  };
  own.byHost.set(host, routing);
  return routing;
}

interface Claim {
  readonly resource: VirtualService;
  readonly host: string;
  readonly index: number;
}

/**
 * The hosts that VirtualServices route for sidecars, in order of theirs. Those
 * of a service's own namespace stand first: whoever shares the mesh with it
 * cannot take its host from it by a name that comes before.
 */
function claims(virtualServices: readonly VirtualService[], options: MeshOptions): Claim[] {
  const all = virtualServices.flatMap((resource) => {
    const { gateways, hosts = [] } = resource.spec;
    if (gateways && !gateways.includes("mesh")) return [];
    return hosts.map((written, index) => ({
      resource,
      host: resolveHost(written, resource.namespace, options),
      index,
    }));
  });
  const isOwn = ({ host, resource }: Claim) => namespaceOf(host, options) === resource.namespace;
  return [...all.filter(isOwn), ...all.filter((claim) => !isOwn(claim))];
}
