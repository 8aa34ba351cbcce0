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

/** The routing of every host that a VirtualService names for sidecars. */
export function buildRouting(
  virtualServices: readonly VirtualService[],
  options: MeshOptions,
  diagnostics: Diagnostics,
): Map<string, HostRouting> {
  const routing = new Map<string, HostRouting>();
  const firsts = new Map<string, Claim>();
  const further = new Map<string, Claim[]>();
  const delegates = delegatesOf(virtualServices);
  for (const claim of claims(virtualServices, options)) {
    const { resource, host } = claim;
    const first = firsts.get(host);
    if (!first) {
      firsts.set(host, claim);
      routing.set(host, hostRouting(host, resource, delegates, options));
      continue;
    }
    const others = [first, ...(further.get(host) ?? [])];
    if (others.some((other) => other.resource === resource)) continue;
    const { namespace, name } = resource;
    const rival = others.find((other) => contend(visible(other), visible(claim)));
    if (rival) {
      const message = `VirtualServices "${rival.resource.name}" and "${name}" both route ${host}: only one can`;
      diagnostics.conflict("IST0109", placeOf(claim), placeOf(rival), message, "merge them into one");
      continue;
    }
    further.set(host, [...others.slice(1), claim]);
    routing.set(`${host} ${namespace}/${name}`, hostRouting(host, resource, delegates, options));
  }
  return routing;
}

function visible({ resource: { spec, namespace } }: Claim): Visible {
  return { namespace, visibleIn: visibilityOf(spec.exportTo, namespace) };
}

function placeOf({ resource: { origins }, index }: Claim): Origin {
  return origins.at(`spec.hosts[${index}]`);
}

interface MadeRouting {
  readonly options: MeshOptions;
  readonly routes: Pick<HostRouting, "http" | "tcp" | "tls">;
  readonly byHost: Map<string, HostRouting>;
}

/** Of VirtualServices that do not delegate. */
const made = new WeakMap<VirtualService, MadeRouting>();

/** The very same object for the same VirtualService, so that what is made of it can be kept; not where it delegates. */
function hostRouting(
  host: string,
  resource: VirtualService,
  delegates: Delegates,
  options: MeshOptions,
): HostRouting {
  const known = made.get(resource);
  const own = known?.options === options ? known : madeRouting(resource, delegates, options);
  let routing = own.byHost.get(host);
  if (!routing) {
    const { namespace, name, spec } = resource;
    const visibleIn = visibilityOf(spec.exportTo, namespace);
    const seen = visibleIn ? { visibleIn } : {};
    routing = { host, namespace, name, ...seen, ...own.routes, source: provenanceOf(resource) };
    own.byHost.set(host, routing);
  }
  return routing;
}

function madeRouting(resource: VirtualService, delegates: Delegates, options: MeshOptions): MadeRouting {
  const http = httpRoutesAt("mesh", resource, delegates, options);
  const tcp = tcpRoutesAt("mesh", resource, options);
  const tls = tlsRoutesAt("mesh", resource, options);
  const own = { options, routes: { http, tcp, tls }, byHost: new Map() };
  if (!resource.spec.http?.some(({ delegate }) => delegate)) made.set(resource, own);
  return own;
}

interface Claim {
  readonly resource: VirtualService;
  readonly host: string;
  readonly index: number;
  /** The host is of the resource's own namespace. */
  readonly isOwn: boolean;
}

/**
 * The hosts that VirtualServices route for sidecars, in order of theirs. Those
 * of a service's own namespace stand first: whoever shares the mesh with it
 * cannot take its host from it by a name that comes before.
 */
function claims(virtualServices: readonly VirtualService[], options: MeshOptions): Claim[] {
  const all = virtualServices.flatMap((resource) => claimsOf(resource, options));
  return [...all.filter(({ isOwn }) => isOwn), ...all.filter(({ isOwn }) => !isOwn)];
}

const claimed = new WeakMap<VirtualService, { options: MeshOptions; claims: readonly Claim[] }>();

function claimsOf(resource: VirtualService, options: MeshOptions): readonly Claim[] {
  const known = claimed.get(resource);
  if (known?.options === options) return known.claims;
  const { namespace, spec } = resource;
  const { gateways, hosts = [] } = spec;
  const isForSidecars = !gateways || gateways.includes("mesh");
  const claims = (isForSidecars ? hosts : []).map((written, index) => {
    const host = resolveHost(written, namespace, options);
    return { resource, host, index, isOwn: namespaceOf(host, options) === namespace };
  });
  claimed.set(resource, { options, claims });
  return claims;
}
