import type { Mesh, MeshWorkload } from "../model/mesh.ts";
import { isHttp } from "../model/protocol.ts";
import type { AttachedRoutes, RouteSet } from "../model/routing.ts";
import type { EgressListener } from "../model/scope.ts";
import type { SeenMesh } from "../model/view.ts";
import { type Caller, callerKey } from "./caller.ts";
import { type ClientFeatures, featuresKey } from "./client-features.ts";
import { frontendParts } from "./frontends.ts";
import { hostsByName, routesWithoutHosts } from "./on-demand-routes.ts";
import {
  egressListener,
  isTcpUpstream,
  outboundListeners,
  upstreamListeners,
  upstreamRouteName,
  virtualOutbound,
} from "./outbound-listeners.ts";
import { httpPorts, outboundRoutes, upstreamRoutes } from "./outbound-routes.ts";
import { hostsPart, part, routesPart, type SidecarPart } from "./part.ts";
import type { RouteAssembly, RouteMemory } from "./route-assembly.ts";
import { asksOthers } from "./route-authorizers.ts";
import type { RoutedMesh } from "./routed-mesh.ts";

/** Listeners and routes for captured traffic: of all that may be called, or of each listener that a Sidecar names. */
export function capturedParts(mesh: SeenMesh, caller: Caller, features: ClientFeatures): SidecarPart[] {
  const { options } = mesh;
  return [
    part("virtual-outbound", "listener", [options], featuresKey(features), () => [
      virtualOutbound(options, features),
    ]),
    ...ways(mesh).flatMap(({ listener, routed }) =>
      listener && hasOwnAddress(listener)
        ? boundWay(listener, routed, caller, features)
        : capturedWay(routed, mesh.endpoints, caller, features),
    ),
  ];
}

/** Without interception: those listeners that the application can connect to. */
export function boundParts(mesh: SeenMesh, caller: Caller, features: ClientFeatures): SidecarPart[] {
  return ways(mesh).flatMap(({ listener, routed }) =>
    listener?.port ? boundWay({ ...listener, isCaptured: false }, routed, caller, features) : [],
  );
}

function hasOwnAddress({ bind, isCaptured, port }: EgressListener): boolean {
  return port !== undefined && (bind !== undefined || !isCaptured);
}

interface Way {
  /** Undefined: for everything that the mesh has. */
  readonly listener: EgressListener | undefined;
  readonly routed: RoutedMesh;
}

function ways(mesh: SeenMesh): Way[] {
  const { attached, egress, options } = mesh;
  if (!egress) return [{ listener: undefined, routed: mesh }];
  return egress.listeners.map(({ listener, ...view }) => ({
    listener,
    routed: {
      ...view,
      attached,
      options,
      ...(listener.port ? { unknownHostPort: listener.port.number } : {}),
    },
  }));
}

function capturedWay(
  mesh: RoutedMesh,
  endpoints: Mesh["endpoints"],
  caller: Caller,
  features: ClientFeatures,
): SidecarPart[] {
  const { services, options, known = services } = mesh;
  const variant = `${callerKey(caller)}${variantOf(mesh)}`;
  const ports = httpPorts(mesh);
  const listened = [services, ...routedStreams(mesh), options, known];
  return [
    part(
      "outbound-listeners",
      "listener",
      hasHeadless(mesh) ? [...listened, endpoints] : listened,
      `${variant} ${featuresKey(features)} ${ports.join()}`,
      () => outboundListeners(mesh, endpoints, caller, features),
    ),
    ...ports.flatMap((port) => portRoutes(port, mesh, caller, features)),
    ...frontendParts(mesh, caller, features),
  ];
}

/** The routes of a port, with its virtual hosts or, for clients that ask for these, apart from them. */
function portRoutes(
  port: number,
  mesh: RoutedMesh,
  caller: Caller,
  { learnsScope, asksForHosts }: ClientFeatures,
): SidecarPart[] {
  const { services, routing, attached, options, known = services } = mesh;
  const from = [services, routing, attached, options, known];
  const variant = `${callerKey(caller)}${variantOf(mesh)}`;
  const id = `routes-${port}`;
  if (!learnsScope || !asksForHosts) {
    return [routesPart(id, from, variant, (last) => outboundRoutes(port, mesh, caller, last))];
  }
  let made: RouteAssembly | undefined;
  const all = (last: RouteMemory | undefined) => {
    made ??= outboundRoutes(port, mesh, caller, last?.whole);
    return made;
  };
  return [
    routesPart(id, from, `${variant} by name`, (last) => routesWithoutHosts(all(last), port, last)),
    hostsPart(`hosts-${port}`, from, variant, (last) => hostsByName(all(last))),
  ];
}

/** What the listeners of captured traffic are made from of routing: nothing, where requests alone are routed and nobody is asked. */
function routedStreams({ routing, attached }: RoutedMesh): readonly object[] {
  return routing.values().some(hasStreams) || attached.values().some(concernsListeners)
    ? [routing, attached]
    : [];
}

function hasStreams({ tcp, tls }: RouteSet): boolean {
  return tcp.length + tls.length > 0;
}

function concernsListeners({ producer, consumers }: AttachedRoutes): boolean {
  return [producer, ...consumers.values()].some((ports) =>
    ports.values().some((routes) => hasStreams(routes) || asksOthers(routes)),
  );
}

/** At an address that the application connects to, or that it is captured for. */
function boundWay(
  listener: EgressListener,
  mesh: RoutedMesh,
  caller: Caller,
  features: ClientFeatures,
): SidecarPart[] {
  const { services, routing, attached, options, known = services } = mesh;
  const { number, protocol } = listener.port!;
  const { bind = "", isCaptured } = listener;
  const from = [services, routing, attached, options, known];
  const variant = `${callerKey(caller)}${variantOf(mesh)} ${protocol}`;
  return [
    part(
      `egress-listener-${number}`,
      "listener",
      from,
      `${variant} ${bind} ${isCaptured} ${featuresKey(features)}`,
      () => [egressListener(listener, mesh, caller, features)],
    ),
    ...(isHttp(protocol)
      ? [
          routesPart(`egress-routes-${number}`, from, variant, (last) =>
            outboundRoutes(number, mesh, caller, last),
          ),
        ]
      : []),
  ];
}

/** What of a way its objects do not tell. */
function variantOf({ exceptPorts = [], unknownHostPort }: RoutedMesh): string {
  const except = exceptPorts.length > 0 ? ` except ${exceptPorts.join()}` : "";
  return unknownHostPort === undefined ? except : `${except} on ${unknownHostPort}`;
}

/** With interception `NONE`: the listeners that a workload names for services it calls. */
export function explicitParts(
  mesh: SeenMesh,
  workload: MeshWorkload,
  caller: Caller,
  features: ClientFeatures,
): SidecarPart[] {
  const { options, routing, attached, egress, services } = mesh;
  const known = egress?.listeners[0]?.known ?? services;
  const routed: RoutedMesh = { options, routing, attached, services: egress?.services ?? services, known };
  const from = [workload, routed.services, routing, attached, options, known];
  const http = workload.upstreams.filter((upstream) => !isTcpUpstream(upstream, routed));
  const targets = new Map(http.map((u) => [upstreamRouteName(u.hostname, u.port), u]));
  return [
    part("upstream-listeners", "listener", from, featuresKey(features), () =>
      upstreamListeners(workload, routed, caller, features),
    ),
    part("upstream-routes", "route", from, "", () =>
      [...targets].map(([name, { hostname, port }]) => upstreamRoutes(name, hostname, port, routed, caller)),
    ),
  ];
}

export function hasHeadless({ services }: Pick<Mesh, "services">): boolean {
  return services.values().some((service) => service.isHeadless);
}
