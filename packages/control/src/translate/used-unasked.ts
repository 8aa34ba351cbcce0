import type { MeshDefaults } from "../model/mesh-options.ts";
import { hostsAside } from "../model/route-shares.ts";
import type { RouteSet } from "../model/routing.ts";
import { destinationOf } from "../model/signals.ts";
import type { SeenMesh } from "../model/view.ts";

const aside = new WeakMap<object, WeakMap<object, ReadonlySet<string>>>();

/**
 * Whether a proxy calls a service without a request or a connection of its
 * application that could wait for its clusters: copies of requests go there,
 * it is asked about requests, or it is told of them.
 */
export function isUsedUnasked(hostname: string, mesh: SeenMesh): boolean {
  if (asideOf(mesh).has(hostname)) return true;
  return providersOf(mesh.options.defaults).has(hostname);
}

const provided = new WeakMap<MeshDefaults, ReadonlySet<string | undefined>>();

function providersOf(defaults: MeshDefaults): ReadonlySet<string | undefined> {
  let hosts = provided.get(defaults);
  if (!hosts) {
    const { authorizationProviders, telemetryProviders } = defaults;
    hosts = new Set([
      ...Object.values(authorizationProviders).map(({ host }) => host),
      ...Object.values(telemetryProviders).map((provider) => destinationOf(provider)?.host),
    ]);
    provided.set(defaults, hosts);
  }
  return hosts;
}

let latest: ReadonlySet<string> = new Set();

/** Hosts that routes lead to beside their destinations; the very same set as long as they are the same. */
export function asideOf({ routing, attached }: SeenMesh): ReadonlySet<string> {
  let byAttached = aside.get(routing);
  if (!byAttached) {
    byAttached = new WeakMap();
    aside.set(routing, byAttached);
  }
  let hosts = byAttached.get(attached);
  if (!hosts) {
    const sets = [...attached.values()].flatMap(({ producer, consumers }) =>
      [producer, ...consumers.values()].flatMap((ports) => [...ports.values()]),
    );
    const found = new Set([...routing.values(), ...sets].flatMap(asideOfSet));
    hosts = latest.size === found.size && latest.isSubsetOf(found) ? latest : found;
    latest = hosts;
    byAttached.set(attached, hosts);
  }
  return hosts;
}

const asideBySet = new WeakMap<RouteSet, readonly string[]>();

function asideOfSet(routes: RouteSet): readonly string[] {
  let hosts = asideBySet.get(routes);
  if (!hosts) {
    hosts = routes.http.flatMap(hostsAside);
    asideBySet.set(routes, hosts);
  }
  return hosts;
}
