import { HostIndex } from "./host-index.ts";
import type { Mesh } from "./mesh.ts";
import { hostsLedTo } from "./route-shares.ts";
import type { AttachedRoutes, HostRouting, RouteSet } from "./routing.ts";
import type { EgressListener, Scope } from "./scope.ts";
import type { Service, ServicePort } from "./service.ts";

type Services = Mesh["services"];
type Routing = Mesh["routing"];

/** What a Sidecar lets the proxies of a namespace call. */
export interface Egress {
  /** What can be called by name. */
  readonly services: Services;
  /** In the order they were written. */
  readonly listeners: readonly EgressView[];
}

/** What can be called through one listener. */
export interface EgressView {
  readonly listener: EgressListener;
  /** With the ports that this listener is for. */
  readonly services: Services;
  readonly routing: Routing;
  /** Services as they are, and those that routes lead to beside them. */
  readonly known: Services;
  /** Ports of which another listener takes care. */
  readonly exceptPorts: readonly number[];
}

export interface Imported {
  /** By host, as they are in the mesh. */
  readonly seen: Services;
  /** Also what only routes lead to; with the ports that some listener is for. */
  readonly services: Services;
  readonly routing: Routing;
  readonly attached: Mesh["attached"];
  readonly egress: Egress;
}

/**
 * What of a mesh a Sidecar's egress brings to the proxies of a namespace:
 * services and routing that its hosts name and that are visible there, and the
 * services that this routing leads to.
 */
export function importedBy(
  scope: Scope,
  mesh: Pick<Mesh, "services" | "routing" | "attached">,
  namespace: string,
  ruled: (services: Services) => Services,
): Imported {
  const services = serviceIndex(mesh.services);
  const routing = routingIndex(mesh.routing);
  const explicit = scope.egress.flatMap(({ port }) => port?.number ?? []);
  const parts = scope.egress.map((listener) => ({
    listener,
    own: services.select(listener.hosts, namespace),
    routing: routing.select(listener.hosts, namespace),
    exceptPorts: listener.port ? [] : explicit,
  }));
  const all = new Map<string, Service>();
  for (const { own } of parts) for (const [host, service] of own) if (!all.has(host)) all.set(host, service);
  const { egressProxy } = scope.outbound ?? {};
  const attached = new Map(
    [...all.keys()].flatMap((host) => {
      const routes = mesh.attached.get(host);
      return routes ? [[host, routes] as const] : [];
    }),
  );
  const led = new Set([
    ...parts.flatMap((part) => [...part.routing.values()].flatMap(destinationHosts)),
    ...[...attached.values()].flatMap((routes) => attachedHosts(routes, namespace)),
    ...(egressProxy ? [egressProxy.host] : []),
  ]);
  for (const host of led) {
    const service = all.has(host) ? undefined : services.nearest(host, namespace);
    if (service) all.set(host, service);
  }
  const known = ruled(inOrder(all));
  const listeners = parts.map(({ own, ...part }): EgressView => {
    const callable = [...own.keys()].flatMap((host) => withPortsOf(known.get(host)!, part) ?? []);
    return { ...part, known, services: new Map(callable.map((service) => [service.hostname, service])) };
  });
  return {
    seen: all,
    services: clustered(known, led, listeners),
    routing: firstOf(listeners.map((listener) => listener.routing)),
    attached,
    egress: { services: firstOf(listeners.map((listener) => listener.services)), listeners },
  };
}

/** Every service with the ports by which some listener reaches it; those that routes lead to with all of theirs. */
function clustered(known: Services, led: ReadonlySet<string>, listeners: readonly EgressView[]): Services {
  const services = new Map<string, Service>();
  for (const [host, service] of known) {
    const reached = new Set(
      listeners.flatMap(({ services: own }) => own.get(host)?.ports.map(({ number }) => number) ?? []),
    );
    const ports = led.has(host) ? service.ports : service.ports.filter(({ number }) => reached.has(number));
    if (ports.length > 0) services.set(host, withPorts(service, ports));
  }
  return services;
}

/** The service as one listener has it; undefined where that is for none of its ports. */
function withPortsOf(
  service: Service,
  {
    listener: { port },
    exceptPorts,
  }: { readonly listener: EgressListener; readonly exceptPorts: readonly number[] },
): Service | undefined {
  const ports = port
    ? service.ports
        .filter(({ number }) => number === port.number)
        .map((own) => (own.protocol === port.protocol ? own : { ...own, protocol: port.protocol }))
    : service.ports.filter(({ number }) => !exceptPorts.includes(number));
  return ports.length === 0 ? undefined : withPorts(service, ports);
}

const trimmed = new WeakMap<Service, Map<string, Service>>();

/** The very same object for the same service and ports, so that what is made of it can be kept. */
function withPorts(service: Service, ports: readonly ServicePort[]): Service {
  if (ports.length === service.ports.length && ports.every((port, i) => port === service.ports[i]))
    return service;
  const made = trimmed.get(service) ?? new Map<string, Service>();
  trimmed.set(service, made);
  const key = ports.map(({ number, protocol }) => `${number} ${protocol}`).join();
  let own = made.get(key);
  if (!own) {
    own = { ...service, ports };
    made.set(key, own);
  }
  return own;
}

/** Of the routes that are attached to a service for callers of a namespace. */
function attachedHosts({ consumers, producer }: AttachedRoutes, namespace: string): string[] {
  return [...(consumers.get(namespace)?.values() ?? []), ...producer.values()].flatMap(destinationHosts);
}

/** Hosts that routing may send calls to. */
function destinationHosts({ http, tcp, tls }: RouteSet): string[] {
  const hosts = [...tcp, ...tls].flatMap(({ destinations }) => destinations.map(({ host }) => host));
  for (const route of http) hosts.push(...hostsLedTo(route));
  return hosts;
}

/** By host, in order; of several maps the first that has it. */
function firstOf<T>(maps: readonly ReadonlyMap<string, T>[]): ReadonlyMap<string, T> {
  if (maps.length === 1) return maps[0]!;
  const merged = new Map<string, T>();
  for (const map of maps) for (const [host, one] of map) if (!merged.has(host)) merged.set(host, one);
  return inOrder(merged);
}

function inOrder<T>(map: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  return new Map([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const serviceIndexes = new WeakMap<Services, HostIndex<Service>>();
const routingIndexes = new WeakMap<Routing, HostIndex<HostRouting>>();

function serviceIndex(services: Services): HostIndex<Service> {
  let index = serviceIndexes.get(services);
  if (!index) {
    index = new HostIndex(services.values(), ({ hostname }) => hostname, false);
    serviceIndexes.set(services, index);
  }
  return index;
}

function routingIndex(routing: Routing): HostIndex<HostRouting> {
  let index = routingIndexes.get(routing);
  if (!index) {
    index = new HostIndex(routing.values(), ({ host }) => host, true);
    routingIndexes.set(routing, index);
  }
  return index;
}
