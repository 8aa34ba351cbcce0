import { create } from "@bufbuild/protobuf";
import {
  type Route,
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
import type { MeshOptions } from "../model/mesh-options.ts";
import { isHttp } from "../model/protocol.ts";
import {
  type Destination,
  type HostRouting,
  type HttpRoute,
  isCaller,
  routesTo,
  routingOf,
} from "../model/routing.ts";
import type { Service } from "../model/service.ts";
import { type PortPolicy, policyFor } from "../model/traffic-policy.ts";
import { type Caller, callerKey } from "./caller.ts";
import { hostLiteral, istioMetadata } from "./messages.ts";
import { blackHoleCluster, outboundClusterName, passthroughCluster } from "./names.ts";
import { plainForward, type RouteTarget, routeAction } from "./route-action.ts";
import type { HostPiece, RouteAssembly } from "./route-assembly.ts";
import { matchAll, routeMatch } from "./route-match.ts";

/** The part of a mesh that routes depend on. */
export interface RoutedMesh extends Pick<Mesh, "services" | "routing" | "attached" | "options"> {
  /** What routes may lead to, where that is more than what can be called. */
  readonly known?: Mesh["services"];
  /** Ports that are not for this part. */
  readonly exceptPorts?: readonly number[];
  /** Where hosts are reachable that only a VirtualService names. */
  readonly unknownHostPort?: number;
}

const usualUnknownHostPort = 80;

function unknownHostPortOf({ unknownHostPort = usualUnknownHostPort }: RoutedMesh): number {
  return unknownHostPort;
}

/** Ports on which some service, or some routed host, is called by HTTP; ascending. */
export function httpPorts(mesh: RoutedMesh): number[] {
  const ports = new Set<number>();
  for (const service of mesh.services.values()) {
    for (const port of service.ports) if (isHttp(port.protocol)) ports.add(port.number);
  }
  if (unregisteredHosts(mesh).length > 0) ports.add(unknownHostPortOf(mesh));
  for (const port of mesh.exceptPorts ?? []) ports.delete(port);
  return [...ports].sort((a, b) => a - b);
}

/** In place of the routing of a service that has none. */
const unrouted = {};

/** What the route configuration of a port is made from, beside services and options: the routing of each service there. */
export function routingsOn(port: number, mesh: RoutedMesh): readonly object[] {
  if (port === unknownHostPortOf(mesh)) return [mesh.routing, mesh.attached];
  return servicesOn(port, mesh).flatMap((service) => routingsOf(service, mesh));
}

/** What the routes of a service are made from: what its host says and what is attached to it. */
function routingsOf({ hostname }: Service, { routing, attached }: RoutedMesh): readonly object[] {
  return [routingOf(routing, hostname) ?? unrouted, attached.get(hostname) ?? unrouted];
}

/** What the routes of one service are made from, for this caller: its own routes and the services they lead to. */
export function routesFrom(service: Service, mesh: RoutedMesh, caller: Caller): object[] {
  const hosts = new Set<string>();
  for (const { number } of service.ports) {
    for (const { action } of routesTo(service.hostname, number, mesh, caller)?.http ?? []) {
      if (action.kind !== "forward") continue;
      for (const { host } of action.destinations) hosts.add(host);
      for (const { destination } of action.mirrors) hosts.add(destination.host);
    }
  }
  const destinations = [...hosts].flatMap((host) => (mesh.known ?? mesh.services).get(host) ?? []);
  return [service, mesh.options, ...routingsOf(service, mesh), ...destinations];
}

function servicesOn(port: number, mesh: RoutedMesh): Service[] {
  return [...mesh.services.values()].filter((service) =>
    service.ports.some((p) => p.number === port && isHttp(p.protocol)),
  );
}

/** The route configuration of one port, named by it: every host that is called there, then the rest of the world. */
export function outboundRoutes(port: number, mesh: RoutedMesh, caller: Caller): RouteAssembly {
  const services = servicesOn(port, mesh);
  const taken = new Set<string>();
  const claim = (domains: readonly string[]) =>
    domains
      .flatMap((domain) => [domain, `${domain}:${port}`])
      .filter((domain) => !taken.has(domain) && taken.add(domain));
  const own = new Map(services.map((service) => [service, claim([service.hostname])]));
  const hosts: HostPiece[] = [];
  for (const service of services) {
    const domains = [...own.get(service)!, ...claim(otherNames(service, caller, mesh))];
    if (domains.length === 0) continue;
    const asked = dependsOnCaller(service, mesh) ? callerKey(caller) : "";
    hosts.push({
      from: routesFrom(service, mesh, caller),
      variant: `${port} ${asked} ${domains.join()}`,
      build: () =>
        virtualHost(`${service.hostname}:${port}`, domains, serviceRoutes(service, port, mesh, caller)),
    });
  }
  if (port === unknownHostPortOf(mesh)) {
    for (const routing of unregisteredHosts(mesh)) {
      const routes = httpRoutes(routing.http, port, mesh, caller);
      const domains = claim([routing.host]);
      if (routes.length === 0 || domains.length === 0) continue;
      hosts.push({ variant: "", build: () => virtualHost(`${routing.host}:${port}`, domains, routes) });
    }
  }
  hosts.push({ variant: "", build: () => restOfTheWorld(mesh) });
  return {
    head: create(RouteConfigurationSchema, { name: String(port), validateClusters: false }),
    hosts,
  };
}

const asksForCallers = new WeakMap<HostRouting, boolean>();

/** Whether the routes of a service may be others for other callers that see the same routing of it. */
function dependsOnCaller({ hostname }: Service, { attached, routing }: RoutedMesh): boolean {
  if (attached.has(hostname)) return true;
  const own = routingOf(routing, hostname);
  if (!own) return false;
  let depends = asksForCallers.get(own);
  if (depends === undefined) {
    depends = own.http.some(({ matches }) =>
      matches.some(({ source }) => source.namespace !== undefined || Object.keys(source.labels).length > 0),
    );
    asksForCallers.set(own, depends);
  }
  return depends;
}

/** One service under any host, for an explicit local listener. */
export function upstreamRoutes(
  name: string,
  hostname: string,
  port: number,
  mesh: RoutedMesh,
  caller: Caller,
): RouteConfiguration {
  const service = mesh.services.get(hostname);
  const routes = service ? serviceRoutes(service, port, mesh, caller) : [];
  return create(RouteConfigurationSchema, {
    name,
    virtualHosts: [virtualHost(`${hostname}:${port}`, ["*"], routes)],
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

/** What else callers write for a service: shorter names within reach, and its addresses. */
function otherNames(service: Service, caller: Caller, { options }: Pick<RoutedMesh, "options">): string[] {
  const names = namesOf(service, caller, options).filter((name) => name !== service.hostname);
  return [...names, ...service.addresses.map(hostLiteral)];
}

/** Every spelling of a service's name that means it to this caller. */
export function namesOf(service: Service, caller: Pick<Caller, "namespace">, options: MeshOptions): string[] {
  const { name, namespace, hostname } = service;
  if (hostname !== `${name}.${namespace}.svc.${options.domainSuffix}`) return [hostname];
  const short = namespace === caller.namespace ? [name] : [];
  return [...short, `${name}.${namespace}`, `${name}.${namespace}.svc`, hostname];
}

function serviceRoutes(service: Service, port: number, mesh: RoutedMesh, caller: Caller): Route[] {
  const routing = routesTo(service.hostname, port, mesh, caller);
  if (routing && routing.http.length > 0) return httpRoutes(routing.http, port, mesh, caller);
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

/** One Route for each match that is for this caller and port; what follows a match of everything is left out. */
export function httpRoutes(
  routes: readonly HttpRoute[],
  port: number,
  mesh: RoutedMesh,
  caller: Caller,
): Route[] {
  const built: Route[] = [];
  const target: RouteTarget = {
    port,
    clusterOf: (destination) => clusterOf(destination, port, mesh),
    hashKeyOf: (destination) => hashKeyOf(policyOf(destination, port, mesh)),
  };
  for (const route of routes) {
    const action = routeAction(route, target);
    const metadata = istioMetadata(route.source);
    if (route.matches.length === 0) {
      built.push(
        create(RouteSchema, { ...action, name: route.name || "default", match: matchAll(), metadata }),
      );
      return built;
    }
    for (const match of route.matches) {
      if (!isCaller(match.source, caller)) continue;
      if (match.port !== undefined && match.port !== port) continue;
      const name = [route.name, match.name].filter((part) => part !== "").join(".");
      built.push(create(RouteSchema, { ...action, name, match: routeMatch(match), metadata }));
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
