import type { MeshDefaults } from "../model/mesh-options.ts";
import { copiesOf } from "../model/route-shares.ts";
import type { HttpRoute, RouteSet } from "../model/routing.ts";
import { destinationOf } from "../model/signals.ts";
import type { SeenMesh } from "../model/view.ts";

const mirrored = new WeakMap<object, WeakMap<object, ReadonlySet<string>>>();

/**
 * Whether a proxy calls a service without a request or a connection of its
 * application that could wait for its clusters: copies of requests go there,
 * it is asked about requests, or it is told of them.
 */
export function isUsedUnasked(hostname: string, mesh: SeenMesh): boolean {
  if (mirrorsOf(mesh).has(hostname)) return true;
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

function mirrorsOf({ routing, attached }: SeenMesh): ReadonlySet<string> {
  let byAttached = mirrored.get(routing);
  if (!byAttached) {
    byAttached = new WeakMap();
    mirrored.set(routing, byAttached);
  }
  let hosts = byAttached.get(attached);
  if (!hosts) {
    const sets = [...attached.values()].flatMap(({ producer, consumers }) =>
      [producer, ...consumers.values()].flatMap((ports) => [...ports.values()]),
    );
    hosts = new Set([...routing.values(), ...sets].flatMap(mirrorsOfSet));
    byAttached.set(attached, hosts);
  }
  return hosts;
}

const mirroredBySet = new WeakMap<RouteSet, readonly string[]>();

function mirrorsOfSet(routes: RouteSet): readonly string[] {
  let hosts = mirroredBySet.get(routes);
  if (!hosts) {
    hosts = routes.http.flatMap(mirrorsIn);
    mirroredBySet.set(routes, hosts);
  }
  return hosts;
}

function mirrorsIn({ action }: HttpRoute): string[] {
  return copiesOf(action).map(({ destination }) => destination.host);
}
