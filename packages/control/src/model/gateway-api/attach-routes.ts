import type { Diagnostics } from "@weft/base/diagnostics";
import { KeptFor } from "@weft/base/kept-for";
import type { ParentRefSpec } from "../../config/gateway-api-specs.ts";
import { resourceKey } from "../../config/resource.ts";
import type { Mesh } from "../mesh.ts";
import { countShares } from "../route-shares.ts";
import { type AttachedRoutes, type RouteSet, routingOf } from "../routing.ts";
import type { ResourcesByKind } from "../sorting.ts";
import type { GatewayAttachments } from "./attach-to-gateways.ts";
import type { BackendLookup, RefProblem } from "./backend-refs.ts";
import { byAge } from "./by-age.ts";
import { findParent, type NoParent, type ParentLookup, type ServiceParent } from "./find-parent.ts";
import { apiGroup } from "./gateway-lookup.ts";
import { byRank, maxMatches } from "./precedence.ts";
import {
  type CompiledRoute,
  carriedBy,
  compileRoute,
  type RouteKind,
  type RouteResource,
  routeKinds,
} from "./route-kinds.ts";
import type { Condition, ParentStatus } from "./route-status.ts";

/** By resource key, then by parent in the order they are written. */
export type RouteStatuses = ReadonlyMap<string, readonly ParentStatus[]>;

/** One route at one port of a service. */
interface Attachment {
  readonly host: string;
  readonly namespace: string;
  readonly port: number;
  /** Whose callers have it: those of this namespace, or (undefined) all that have none of their own. */
  readonly audience: string | undefined;
  readonly kind: RouteKind;
  readonly compiled: CompiledRoute;
}

/** A parent that a route names, and what came of it: at services where it is attached, at a Gateway in words. */
interface Named {
  readonly resource: RouteResource;
  readonly ref: ParentRefSpec;
  readonly index: number;
  readonly found: readonly Attachment[] | NoParent | { readonly places: string };
  readonly refs: Condition;
}

/**
 * Attaches the Gateway API's routes to services and to the listeners of
 * Gateways and ListenerSets. A route in a service's own namespace is for every caller; one of
 * another namespace only for the callers there. Routes of one kind for the same
 * port are merged; of several kinds the most specific is in force there. What a
 * Gateway exposes of other namespaces needs their ReferenceGrant.
 */
export function attachRoutes(
  resources: ResourcesByKind,
  mesh: Pick<Mesh, "services" | "options" | "routing">,
  gateways: GatewayAttachments,
  diagnostics: Diagnostics,
): { readonly attached: Map<string, AttachedRoutes>; readonly statuses: RouteStatuses } {
  const lookup: ParentLookup = { ...mesh, entries: resources.ServiceEntry };
  const named: Named[] = [];
  for (const resource of routesOf(resources)) {
    const atServices = once(() => {
      if (resource.kind !== "TLSRoute") reportHostnames(resource, diagnostics);
      return compiledFor(resource, mesh, diagnostics);
    });
    const granted = { ...mesh, grants: resources.ReferenceGrant };
    const atGateways = once(() => compiledFor(resource, granted, diagnostics));
    const parents = resource.spec.parentRefs ?? [];
    if (parents.length === 0) {
      const message = "the route is attached to nothing: it does nothing";
      diagnostics.warning("W2120", resource.origins.at("spec"), message, "name a service among parentRefs");
    }
    parents.forEach((ref, index) => {
      if (isGateway(ref)) {
        const found = gateways.attach(ref, resource, () => atGateways().compiled);
        named.push({ resource, ref, index, found, refs: atGateways().refs });
        return;
      }
      const { compiled, refs } = atServices();
      const parent = findParent(ref, resource.namespace, carriedBy[resource.kind], lookup);
      const found = "message" in parent ? parent : parent.flatMap((p) => attachments(resource, p, compiled));
      named.push({ resource, ref, index, found, refs });
    });
  }
  const all = named.flatMap(({ found }) => (Array.isArray(found) ? (found as readonly Attachment[]) : []));
  const lost = lostAmong(all);
  const statuses = new Map<string, ParentStatus[]>();
  for (const one of named) {
    const accepted = acceptance(one, lost, mesh, diagnostics);
    if (!accepted) continue;
    const key = resourceKey(one.resource);
    const status = { parentRef: one.ref, conditions: [accepted, one.refs] };
    statuses.set(key, [...(statuses.get(key) ?? []), status]);
  }
  return { attached: grouped(all.filter((attachment) => !lost.has(attachment))), statuses };
}

function isGateway({ group = apiGroup, kind = "Gateway" }: ParentRefSpec): boolean {
  return group === apiGroup && (kind === "Gateway" || kind === "ListenerSet");
}

/** Which calls a route of a service is for is said by the service. */
function reportHostnames({ kind, spec, origins }: RouteResource, diagnostics: Diagnostics): void {
  if (!("hostnames" in spec) || !spec.hostnames?.length) return;
  const message = `${kind}.spec.hostnames is for Gateways: which calls a route is for is said by the service that it is attached to`;
  diagnostics.info("W2123", origins.at("spec.hostnames"), message);
}

function compiledFor(resource: RouteResource, backends: BackendLookup, diagnostics: Diagnostics) {
  const compiled = compileRoute(resource, backends);
  return { compiled, refs: resolvedRefs(resource, compiled.problems, diagnostics) };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

function routesOf(resources: ResourcesByKind): RouteResource[] {
  const all = routeKinds.flatMap((kind): readonly RouteResource[] => resources[kind]);
  return all.toSorted(byAge);
}

/** What becomes of what should go to a backend that is not there. */
const failures: Readonly<Record<RouteKind, string>> = {
  HTTPRoute: "its share of the calls is answered with 500",
  GRPCRoute: "its share of the calls is answered with UNAVAILABLE",
  TLSRoute: "its share of the connections is closed",
  TCPRoute: "its share of the connections is closed",
};

function resolvedRefs(
  resource: RouteResource,
  problems: readonly RefProblem[],
  diagnostics: Diagnostics,
): Condition {
  for (const { path, message } of problems) {
    const hint = path.includes(".requestMirror")
      ? "no copies are sent there"
      : path.includes(".externalAuth")
        ? "nobody can be asked: requests are answered with 500"
        : failures[resource.kind];
    diagnostics.warning("IST0101", resource.origins.at(path), message, hint);
  }
  const [first] = problems;
  if (!first) return { type: "ResolvedRefs", isTrue: true, reason: "ResolvedRefs", message: "all are known" };
  const message = problems.map((problem) => `${problem.path}: ${problem.message}`).join("; ");
  return { type: "ResolvedRefs", isTrue: false, reason: first.reason, message };
}

function attachments(
  resource: RouteResource,
  { service, ports }: ServiceParent,
  compiled: CompiledRoute,
): Attachment[] {
  const audience = service.namespace === resource.namespace ? undefined : resource.namespace;
  const { kind } = resource;
  const { hostname: host, namespace } = service;
  return ports.map(({ number }) => ({ host, namespace, port: number, audience, kind, compiled }));
}

/** Why an attachment is not in force: another kind or an older route goes before, or there are too many. */
type Loss = "precedence" | "room";

/** Of each port and audience the most specific kind is in force; of TCP routes, which match all alike, the first. */
function lostAmong(all: readonly Attachment[]): ReadonlyMap<Attachment, Loss> {
  const places = Map.groupBy(all, ({ host, port, audience }) => JSON.stringify([host, port, audience]));
  const lost = new Map<Attachment, Loss>();
  for (const place of places.values()) {
    const inForce = routeKinds.find((one) => place.some(({ kind }) => kind === one))!;
    let matches = 0;
    for (const attachment of place) {
      const isBehind = attachment.kind !== inForce || (inForce === "TCPRoute" && matches > 0);
      const more = matches + Math.max(countShares(attachment.compiled.http), 1);
      if (isBehind) lost.set(attachment, "precedence");
      else if (more > maxMatches) lost.set(attachment, "room");
      else matches = more;
    }
  }
  return lost;
}

/** Undefined where another controller may serve the parent. */
function acceptance(
  { resource, index, found }: Named,
  losses: ReadonlyMap<Attachment, Loss>,
  { routing }: Pick<Mesh, "routing">,
  diagnostics: Diagnostics,
): Condition | undefined {
  const at = resource.origins.at(`spec.parentRefs[${index}]`);
  if ("message" in found) {
    const { reason, message, hint } = found;
    diagnostics.warning(reason === "NoMatchingParent" ? "IST0101" : "W2120", at, message, hint);
    return reason && { type: "Accepted", isTrue: false, reason, message };
  }
  if ("places" in found) {
    return { type: "Accepted", isTrue: true, reason: "Accepted", message: `attached to ${found.places}` };
  }
  const lost = found.filter((attachment) => losses.has(attachment));
  if (lost.length > 0) {
    const isFull = lost.some((attachment) => losses.get(attachment) === "room");
    const why = isFull
      ? `has ${maxMatches} matches without this ${resource.kind}`
      : `has a route that goes before this ${resource.kind}`;
    const message = `${placesOf(lost)} ${why}: this one does nothing there`;
    const order = `in this order: ${routeKinds.join(", ")}; of TCPRoutes the older`;
    diagnostics.warning("W2122", at, message, isFull ? "older routes go before: remove some" : order);
    const reason = isFull ? "UnsupportedValue" : "Conflicted";
    if (lost.length === found.length) return { type: "Accepted", isTrue: false, reason, message };
  }
  for (const [host, own] of Map.groupBy(found, (attachment) => attachment.host)) {
    const other = routingOf(routing, host);
    if (!other || other.http.length + other.tcp.length + other.tls.length === 0) continue;
    const message = `VirtualService ${other.namespace}/${other.name} routes ${host} too: it does not apply where this route is attached, to ${placesOf(own)}`;
    diagnostics.warning("W2121", at, message, `the other is at ${other.source.origin}`);
  }
  return { type: "Accepted", isTrue: true, reason: "Accepted", message: `attached to ${placesOf(found)}` };
}

function placesOf(attachments: readonly Attachment[]): string {
  return attachments.map(({ host, port }) => `${host}:${port}`).join(", ");
}

/** By the first of the routes. */
const kept = new KeptFor<CompiledRoute, AttachedRoutes>();

function grouped(attachments: readonly Attachment[]): Map<string, AttachedRoutes> {
  const hosts = Map.groupBy(attachments, ({ host }) => host);
  return new Map(
    [...hosts].map(([host, all]) => {
      const [{ compiled, namespace }] = all as [Attachment];
      const from = [host, namespace, ...all.flatMap((one) => [one.port, one.audience, one.compiled])];
      return [host, kept.get(compiled, from, () => attachedTo(host, all))];
    }),
  );
}

function attachedTo(host: string, all: readonly Attachment[]): AttachedRoutes {
  const audiences = Map.groupBy(all, ({ audience }) => audience);
  const producer = merged(audiences.get(undefined) ?? []);
  audiences.delete(undefined);
  const consumers = new Map([...audiences].map(([namespace, own]) => [namespace!, merged(own)]));
  return { host, namespace: all[0]!.namespace, producer, consumers };
}

function merged(attachments: readonly Attachment[]): Map<number, RouteSet> {
  const ports = Map.groupBy(attachments, ({ port }) => port);
  return new Map(
    [...ports].map(([port, own]) => {
      const compiled = own.map((attachment) => attachment.compiled);
      return [
        port,
        {
          http: byRank(compiled.flatMap(({ http }) => http)),
          tcp: compiled.flatMap(({ tcp }) => tcp),
          tls: compiled.flatMap(({ tls }) => tls),
        },
      ];
    }),
  );
}
