import type { AuthorizationProvider } from "../model/authorization-provider.ts";
import { authorizersOf } from "../model/route-shares.ts";
import { type HttpRoute, type RouteSet, routesTo } from "../model/routing.ts";
import type { Caller } from "./caller.ts";
import { routeAuthorizationName } from "./route-authorization.ts";
import type { RoutedMesh } from "./routed-mesh.ts";

/** Whom some of these routes ask, each once and in order: those that a filter must be there for. */
export function authorizersIn(routes: readonly HttpRoute[]): AuthorizationProvider[] {
  const byName = new Map<string, AuthorizationProvider>();
  for (const route of routes) {
    for (const one of authorizersOf(route)) byName.set(routeAuthorizationName(one), one);
  }
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, provider]) => provider);
}

/** Whom the routes of one service ask that are attached to it for a caller. A VirtualService asks nobody. */
export function authorizersTo(
  hostname: string,
  port: number,
  mesh: Pick<RoutedMesh, "attached" | "routing">,
  caller: Caller,
): AuthorizationProvider[] {
  const routes = mesh.attached.has(hostname) ? routesTo(hostname, port, mesh, caller)?.http : undefined;
  return routes ? authorizersIn(routes) : [];
}

/** Of all services that are called at a port. */
export function authorizersAt(port: number, mesh: RoutedMesh, caller: Caller): AuthorizationProvider[] {
  const hosts = [...mesh.attached.keys()].filter((host) => mesh.services.has(host));
  return authorizersIn(hosts.flatMap((host) => routesTo(host, port, mesh, caller)?.http ?? []));
}

const asking = new WeakMap<RouteSet, boolean>();

/** Whether routes need filters of their own in the listeners that they are for. */
export function asksOthers(routes: RouteSet): boolean {
  let asks = asking.get(routes);
  if (asks === undefined) {
    asks = routes.http.some((route) => authorizersOf(route).length > 0);
    asking.set(routes, asks);
  }
  return asks;
}
