import type { Message } from "@bufbuild/protobuf";
import type { Endpoint } from "../model/endpoint.ts";
import type { Service } from "../model/service.ts";
import { type CalledFrom, endpointAssignments, isReachable } from "./endpoints.ts";
import { placeKeyFor } from "./place.ts";
import { assembleRoutes, type RouteAssembly, type RouteMemory } from "./route-assembly.ts";

/** Which type of resource a part consists of. */
export type PartType =
  | "listener"
  | "route"
  | "virtualHost"
  | "cluster"
  | "endpoint"
  | "secret"
  | "nameTable"
  | "workloadTemplate";

/**
 * Some resources of a proxy, and what they are made of. Two parts with the same
 * `id`, equal `variant` and identical `from` build equal resources, whichever
 * proxy they are for: whoever keeps results may share them by that.
 */
export interface SidecarPart {
  readonly id: string;
  readonly type: PartType;
  readonly from: readonly object[];
  readonly variant: string;
  /** Clients that learn their scope ask for it by name. */
  readonly isOnDemand?: boolean;
  /** Of one route configuration, or of virtual hosts that are given by themselves: what `build` would make, in pieces; as far as it is as before with the keys of that. */
  assemble?(last?: RouteMemory): RouteAssembly;
  build(): readonly Message[];
}

/** What all clients of one audience are given. */
export interface CommonParts {
  readonly byService: ServiceParts;
  /** What is made of several services, or of none. */
  rest(): readonly SidecarPart[];
}

/** Parts of one service each: of thousands they are asked for of those that are another than before. */
export interface ServiceParts {
  readonly services: ReadonlyMap<string, Service>;
  readonly endpoints: ReadonlyMap<string, readonly Endpoint[]>;
  /** What they are made from beside a service and its endpoints. */
  readonly from: readonly unknown[];
  of(service: Service): readonly SidecarPart[];
}

export function partsOf({ byService, rest }: CommonParts): readonly SidecarPart[] {
  const { services, of } = byService;
  return [...services.values().flatMap(of), ...rest()];
}

export function part(
  id: string,
  type: PartType,
  from: readonly object[],
  variant: string,
  build: () => readonly Message[],
): SidecarPart {
  return { id, type, from, variant, build };
}

/** One route configuration, which those who keep its hosts can make from what they have. */
export function routesPart(
  id: string,
  from: readonly object[],
  variant: string,
  assemble: (last?: RouteMemory) => RouteAssembly,
): SidecarPart {
  return { ...part(id, "route", from, variant, () => [assembleRoutes(assemble())]), assemble };
}

/** The virtual hosts of a route configuration, each a resource of its own. */
export function hostsPart(
  id: string,
  from: readonly object[],
  variant: string,
  assemble: (last?: RouteMemory) => RouteAssembly,
): SidecarPart {
  const build = () => assembleRoutes(assemble()).virtualHosts;
  return { ...part(id, "virtualHost", from, variant, build), assemble, isOnDemand: true };
}

/**
 * The same for every kind of client, so that a changed endpoint is encoded once;
 * for clients of one place where it matters to the service, and for those that
 * have no IPv6 at all where some of it is there alone.
 */
export function endpointsPart(
  service: Service,
  endpoints: readonly Endpoint[],
  from: CalledFrom,
): SidecarPart {
  const build = () => endpointAssignments(service, endpoints, from);
  const place = placeKeyFor(service, from.usual, from.place);
  const variant = isReachable(endpoints, from) ? place : `${place} IPv4`;
  return part("endpoints", "endpoint", [service, endpoints, from.usual], variant, build);
}

/** One object for all, so that what is made from no endpoints is shared too. */
export const none: readonly never[] = [];
