import { create } from "@bufbuild/protobuf";
import {
  type Route,
  type RouteMatch,
  RouteSchema,
  type VirtualHost,
  VirtualHostSchema,
} from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import {
  type RouteConfiguration,
  RouteConfigurationSchema,
} from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import type { HashKey } from "../model/balancer.ts";
import type { Mesh } from "../model/mesh.ts";
import { isHttp } from "../model/protocol.ts";
import { type RouteShare, sharesOf as sharesOfRoute } from "../model/route-shares.ts";
import {
  type Destination,
  type HostRouting,
  type HttpMatch,
  type HttpRoute,
  isCaller,
  routesTo,
} from "../model/routing.ts";
import type { Service } from "../model/service.ts";
import { type PortPolicy, policyFor } from "../model/traffic-policy.ts";
import { type Caller, callerKey } from "./caller.ts";
import { claimed, type HostClaims, hostClaims } from "./host-claims.ts";
import { HostKeys } from "./host-keys.ts";
import { istioMetadata } from "./messages.ts";
import { blackHoleCluster, hostName, outboundClusterName, passthroughCluster } from "./names.ts";
import { none } from "./part.ts";
import { plainForward, type RouteTarget, routeAction } from "./route-action.ts";
import type { RouteAssembly, RouteMemory } from "./route-assembly.ts";
import { matchAll, routeMatch, shareOf } from "./route-match.ts";
import { asksForCaller, dependOnCaller, ledTo, routesFrom } from "./route-sources.ts";
import type { RoutedMesh } from "./routed-mesh.ts";

const usualUnknownHostPort = 80;

/** In which shares a data plane takes a route. */
export type SharesOf = (route: HttpRoute) => readonly RouteShare[];

function unknownHostPortOf({ unknownHostPort = usualUnknownHostPort }: RoutedMesh): number {
  return unknownHostPort;
}

/** Ports on which some service, or some routed host, is called by HTTP; ascending. */
export function httpPorts(mesh: RoutedMesh): number[] {
  const ports = new Set(httpServices(mesh.services).keys());
  if (unregisteredHosts(mesh).length > 0) ports.add(unknownHostPortOf(mesh));
  for (const port of mesh.exceptPorts ?? []) ports.delete(port);
  return [...ports].sort((a, b) => a - b);
}

const byPort = new WeakMap<Mesh["services"], ReadonlyMap<number, readonly Service[]>>();

/** Services by the ports on which they are called by HTTP. */
function httpServices(services: Mesh["services"]): ReadonlyMap<number, readonly Service[]> {
  let lists = byPort.get(services);
  if (!lists) {
    const made = new Map<number, Service[]>();
    for (const service of services.values()) {
      for (const { number, protocol } of service.ports) {
        if (!isHttp(protocol)) continue;
        const list = made.get(number);
        if (!list) made.set(number, [service]);
        else if (list.at(-1) !== service) list.push(service);
      }
    }
    lists = made;
    byPort.set(services, lists);
  }
  return lists;
}

/** The route configuration of one port, named by it: every host that is called there, then the rest of the world. */
export function outboundRoutes(
  port: number,
  mesh: RoutedMesh,
  caller: Caller,
  last?: RouteMemory,
): RouteAssembly {
  const { options } = mesh;
  const services = httpServices(mesh.services).get(port) ?? none;
  const claims = hostClaims(services, port, caller, options, last?.claims);
  const keys = new HostKeys(last?.keys);
  const whom = callerKey(caller);
  const subjects: (Service | HostRouting | undefined)[] = [];
  services.forEach((service, i) => {
    const domains = claims.domains[i]!;
    if (domains.length === 0) return;
    subjects.push(service);
    keys.add(routesFrom(service, mesh, caller), [port, dependOnCaller(service, mesh) ? whom : "", domains]);
  });
  if (port === unknownHostPortOf(mesh)) {
    for (const { routing, domains } of unregisteredAt(port, mesh, caller, claims)) {
      subjects.push(routing);
      const from = [routing, options, ...ledTo(routing, mesh)];
      keys.add(from, [port, asksForCaller(routing) ? whom : "", domains]);
    }
  }
  subjects.push(undefined);
  keys.add([options], [port, "", none]);
  const memory = { keys: keys.all, claims };
  return {
    head: create(RouteConfigurationSchema, { name: String(port), validateClusters: false }),
    memory,
    build: (at) => {
      const subject = subjects[at];
      if (!subject) return restOfTheWorld(mesh);
      const [, , domains] = memory.keys[at]!.says;
      return "hostname" in subject
        ? virtualHost(hostName(subject.hostname, port), domains, serviceRoutes(subject, port, mesh, caller))
        : virtualHost(hostName(subject.host, port), domains, httpRoutes(subject.http, port, mesh, caller));
    },
  };
}

/** Hosts that only a VirtualService names, and has routes for from here. */
function* unregisteredAt(port: number, mesh: RoutedMesh, caller: Caller, claims: HostClaims) {
  const taken = new Set<string>();
  for (const routing of unregisteredHosts(mesh)) {
    const domains = claimed([routing.host], port, taken).filter((domain) => !claims.taken.has(domain));
    const mayMatch = ({ matches }: HttpRoute) =>
      matches.length === 0 || matches.some((match) => isFor(match, port, caller));
    if (domains.length > 0 && routing.http.some(mayMatch)) yield { routing, domains };
  }
}

function isFor(match: HttpMatch, port: number, caller: Caller): boolean {
  return isCaller(match.source, caller) && (match.port === undefined || match.port === port);
}

/** One service under any host, for an explicit local listener. */
export function upstreamRoutes(
  name: string,
  hostname: string,
  port: number,
  mesh: RoutedMesh,
  caller: Caller,
  sharesOf?: SharesOf,
): RouteConfiguration {
  const service = mesh.services.get(hostname);
  const routes = service ? serviceRoutes(service, port, mesh, caller, sharesOf) : [];
  return create(RouteConfigurationSchema, {
    name,
    virtualHosts: [virtualHost(hostName(hostname, port), ["*"], routes)],
    validateClusters: false,
  });
}

function virtualHost(name: string, domains: readonly string[], routes: readonly Route[]): VirtualHost {
  return create(VirtualHostSchema, { name, domains: [...domains], routes: [...routes] });
}

/** Hosts with HTTP routes that are no service of the mesh. */
function unregisteredHosts(mesh: RoutedMesh): HostRouting[] {
  return [...mesh.routing.values()].filter(
    ({ host, http }) => http.length > 0 && !mesh.services.has(host) && !coversService(host, mesh),
  );
}

function coversService(host: string, mesh: RoutedMesh): boolean {
  if (!host.startsWith("*.")) return false;
  return [...mesh.services.keys()].some((hostname) => hostname.endsWith(host.slice(1)));
}

function serviceRoutes(
  service: Service,
  port: number,
  mesh: RoutedMesh,
  caller: Caller,
  sharesOf?: SharesOf,
): Route[] {
  const routing = routesTo(service.hostname, port, mesh, caller);
  if (routing && routing.http.length > 0) return httpRoutes(routing.http, port, mesh, caller, sharesOf);
  return [
    create(RouteSchema, {
      name: "default",
      match: matchAll(),
      action: {
        case: "route",
        value: plainForward(
          outboundClusterName(port, "", service.hostname),
          hashKeyOf(policyFor(port, service.policy)),
        ),
      },
      metadata: istioMetadata(service.source),
    }),
  ];
}

/**
 * One Route for each match that is for this caller and port, or as many as it
 * has shares; what follows a match of everything is left out.
 */
export function httpRoutes(
  routes: readonly HttpRoute[],
  port: number,
  mesh: RoutedMesh,
  caller: Caller,
  sharesOf: SharesOf = sharesOfRoute,
): Route[] {
  const built: Route[] = [];
  const target: RouteTarget = {
    port,
    clusterOf: (destination) => clusterOf(destination, port, mesh),
    hashKeyOf: (destination) => hashKeyOf(policyOf(destination, port, mesh)),
  };
  for (const route of routes) {
    const shares = sharesOf(route).map((share) => ({ ...share, action: routeAction(share.route, target) }));
    const metadata = istioMetadata(route.source);
    const add = (name: string, match: RouteMatch) => {
      for (const { action, upTo } of shares) {
        built.push(create(RouteSchema, { ...action, name, match: shareOf(match, upTo), metadata }));
      }
    };
    if (route.matches.length === 0) {
      add(route.name || "default", matchAll());
      return built;
    }
    for (const match of route.matches) {
      if (!isFor(match, port, caller)) continue;
      add([route.name, match.name].filter((part) => part !== "").join("."), routeMatch(match));
    }
  }
  return built;
}

/** The cluster of a destination: of the port it names, else its service's only one, else the port that was called. */
export function clusterOf(destination: Destination, calledPort: number, mesh: RoutedMesh): string {
  return outboundClusterName(portOf(destination, calledPort, mesh), destination.subset, destination.host);
}

/** The policy of that cluster; undefined where the mesh does not know the service. */
export function policyOf(
  destination: Destination,
  calledPort: number,
  mesh: RoutedMesh,
): PortPolicy | undefined {
  const service = serviceOf(destination, mesh);
  const subset = service?.subsets.find(({ name }) => name === destination.subset);
  return service && policyFor(portOf(destination, calledPort, mesh), service.policy, subset?.policy);
}

function portOf(destination: Destination, calledPort: number, mesh: RoutedMesh): number {
  const ports = serviceOf(destination, mesh)?.ports ?? [];
  return destination.port ?? (ports.length === 1 ? ports[0]!.number : calledPort);
}

function serviceOf({ host }: Destination, { known, services }: RoutedMesh): Service | undefined {
  return (known ?? services).get(host);
}

function hashKeyOf(policy: PortPolicy | undefined): HashKey | undefined {
  return policy?.balancer?.kind === "consistent-hash" ? policy.balancer.key : undefined;
}

function restOfTheWorld(mesh: RoutedMesh): VirtualHost {
  const { options } = mesh;
  const isAllowed = options.defaults.outboundTrafficPolicy === "ALLOW_ANY";
  const route = isAllowed
    ? create(RouteSchema, {
        name: "allow_any",
        match: matchAll(),
        action: {
          case: "route",
          value: {
            clusterSpecifier: { case: "cluster", value: unknownCluster(mesh) },
            timeout: { seconds: 0n },
          },
        },
      })
    : create(RouteSchema, {
        name: "block_all",
        match: matchAll(),
        action: { case: "directResponse", value: { status: 502 } },
      });
  return virtualHost(isAllowed ? "allow_any" : "block_all", ["*"], [route]);
}

/** Where what is for no known host goes. */
export function unknownCluster({ options }: Pick<Mesh, "options">): string {
  const { outboundTrafficPolicy, egressProxy } = options.defaults;
  if (outboundTrafficPolicy === "REGISTRY_ONLY") return blackHoleCluster;
  return egressProxy
    ? outboundClusterName(egressProxy.port!, egressProxy.subset, egressProxy.host)
    : passthroughCluster;
}
