import type { HttpRoute } from "../model/routing.ts";
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
  const { authorizationProviders, telemetryProviders } = mesh.options.defaults;
  return (
    Object.values(authorizationProviders).some(({ host }) => host === hostname) ||
    Object.values(telemetryProviders).some((provider) => destinationOf(provider)?.host === hostname)
  );
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
    hosts = new Set([...routing.values(), ...sets].flatMap(({ http }) => http.flatMap(mirrorsIn)));
    byAttached.set(attached, hosts);
  }
  return hosts;
}

function mirrorsIn({ action }: HttpRoute): string[] {
  return action.kind === "forward" ? action.mirrors.map(({ destination }) => destination.host) : [];
}
