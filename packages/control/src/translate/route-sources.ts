import { hostsLedTo } from "../model/route-shares.ts";
import { type HostRouting, routesTo, routingOf } from "../model/routing.ts";
import type { Service } from "../model/service.ts";
import type { Caller } from "./caller.ts";
import type { RoutedMesh } from "./routed-mesh.ts";

/** In place of the routing of a service that has none. */
const unrouted = {};

/** What the routes of one service are made from, for this caller: its own routes and the services they lead to. */
export function routesFrom(service: Service, mesh: RoutedMesh, caller: Caller): object[] {
  const { hostname } = service;
  const { options, known = mesh.services } = mesh;
  const routing = routingOf(mesh.routing, hostname);
  const attached = mesh.attached.get(hostname);
  const from: object[] = [service, options, routing ?? unrouted, attached ?? unrouted];
  for (const host of attached ? hostsBehind(service, mesh, caller) : hostsIn(routing)) {
    const destination = known.get(host);
    if (destination) from.push(destination);
  }
  return from;
}

/** The services that the routes of a host lead to. */
export function ledTo(routing: HostRouting, { services, known = services }: RoutedMesh): Service[] {
  return hostsIn(routing).flatMap((host) => known.get(host) ?? []);
}

function hostsBehind(service: Service, mesh: RoutedMesh, caller: Caller): string[] {
  const routes = service.ports.flatMap(
    ({ number }) => routesTo(service.hostname, number, mesh, caller)?.http ?? [],
  );
  return [...new Set(routes.flatMap(hostsLedTo))];
}

const hostsByRouting = new WeakMap<HostRouting, readonly string[]>();

function hostsIn(routing: HostRouting | undefined): readonly string[] {
  if (!routing) return [];
  let hosts = hostsByRouting.get(routing);
  if (!hosts) {
    hosts = [...new Set(routing.http.flatMap(hostsLedTo))];
    hostsByRouting.set(routing, hosts);
  }
  return hosts;
}

/** Whether the routes of a service may be others for other callers that see the same routing of it. */
export function dependOnCaller({ hostname }: Service, { attached, routing }: RoutedMesh): boolean {
  if (attached.has(hostname)) return true;
  const own = routingOf(routing, hostname);
  return own !== undefined && asksForCaller(own);
}

const asksForCallers = new WeakMap<HostRouting, boolean>();

export function asksForCaller(routing: HostRouting): boolean {
  let depends = asksForCallers.get(routing);
  if (depends === undefined) {
    depends = routing.http.some(({ matches }) =>
      matches.some(({ source }) => source.namespace !== undefined || Object.keys(source.labels).length > 0),
    );
    asksForCallers.set(routing, depends);
  }
  return depends;
}
