import type { Message } from "@bufbuild/protobuf";
import type { Endpoint, Mesh, MeshWorkload, Service } from "../model/mesh.ts";
import { type Caller, callerKey, callerOf } from "./caller.ts";
import { type ClientFeatures, featuresKey } from "./client-features.ts";
import { endpointAssignments } from "./endpoints.ts";
import { inboundClusters, outboundFixedClusters } from "./fixed-clusters.ts";
import { inboundListeners } from "./inbound-listeners.ts";
import { nameTable } from "./name-table.ts";
import { outboundClusters } from "./outbound-clusters.ts";
import {
  isTcpUpstream,
  outboundListeners,
  upstreamListeners,
  upstreamRouteName,
  virtualOutbound,
} from "./outbound-listeners.ts";
import { httpPorts, outboundRoutes, upstreamRoutes } from "./outbound-routes.ts";

/** Which type of resource a part consists of. */
export type PartType = "listener" | "route" | "cluster" | "endpoint" | "nameTable";

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
  build(): readonly Message[];
}

/** Everything a sidecar is given, in the smallest parts that change together. Pure, and cheap until built. */
export function sidecarParts(mesh: Mesh, workload: MeshWorkload, features: ClientFeatures): SidecarPart[] {
  const { options } = mesh;
  const caller = callerOf(workload, mesh);
  const variant = featuresKey(features);
  const parts = [
    ...[...mesh.services.values()].flatMap((service) => serviceParts(service, mesh)),
    part("fixed-clusters", "cluster", [options], "", () => outboundFixedClusters(options)),
    part("inbound-clusters", "cluster", [workload, options], variant, () =>
      inboundClusters(workload, options, features),
    ),
    part("inbound-listeners", "listener", [workload, options], variant, () =>
      inboundListeners(workload, options, features),
    ),
    namesPart(mesh),
  ];
  const outbound = workload.interception === "NONE" ? explicitParts : capturedParts;
  return [...parts, ...outbound(mesh, workload, caller, features)];
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

function serviceParts(service: Service, mesh: Mesh): SidecarPart[] {
  const { options } = mesh;
  const endpoints = mesh.endpoints.get(service.hostname) ?? none;
  const isByDns = service.resolution.startsWith("dns");
  const clusters = () => outboundClusters(service, isByDns ? endpoints : none, options);
  return [
    part("clusters", "cluster", isByDns ? [service, endpoints, options] : [service, options], "", clusters),
    endpointsPart(service, endpoints),
  ];
}

/** The same for every kind of client, so that a changed endpoint is encoded once. */
export function endpointsPart(service: Service, endpoints: readonly Endpoint[]): SidecarPart {
  return part("endpoints", "endpoint", [service, endpoints], "", () =>
    endpointAssignments(service, endpoints),
  );
}

/** One object for all, so that what is made from no endpoints is shared too. */
const none: readonly never[] = [];

function capturedParts(mesh: Mesh, _: MeshWorkload, caller: Caller, features: ClientFeatures): SidecarPart[] {
  const { options } = mesh;
  const feature = featuresKey(features);
  const from = [mesh.services, mesh.routing, options];
  const variant = callerKey(caller);
  const listenersFrom = hasHeadless(mesh) ? [...from, mesh.endpoints] : from;
  return [
    part("virtual-outbound", "listener", [options], feature, () => [virtualOutbound(options, features)]),
    part("outbound-listeners", "listener", listenersFrom, `${variant} ${feature}`, () =>
      outboundListeners(mesh, mesh.endpoints, caller, features),
    ),
    part("outbound-routes", "route", from, variant, () =>
      httpPorts(mesh).map((port) => outboundRoutes(port, mesh, caller)),
    ),
  ];
}

function explicitParts(
  mesh: Mesh,
  workload: MeshWorkload,
  caller: Caller,
  features: ClientFeatures,
): SidecarPart[] {
  const { options } = mesh;
  const from = [workload, mesh.services, mesh.routing, options];
  const http = workload.upstreams.filter((upstream) => !isTcpUpstream(upstream, mesh));
  const targets = new Map(http.map((u) => [upstreamRouteName(u.hostname, u.port), u]));
  return [
    part("upstream-listeners", "listener", from, featuresKey(features), () =>
      upstreamListeners(workload, mesh, caller, features),
    ),
    part("upstream-routes", "route", from, "", () =>
      [...targets].map(([name, { hostname, port }]) => upstreamRoutes(name, hostname, port, mesh, caller)),
    ),
  ];
}

function namesPart(mesh: Mesh): SidecarPart {
  const from = hasHeadless(mesh)
    ? [mesh.services, mesh.endpoints, mesh.options]
    : [mesh.services, mesh.options];
  return part("names", "nameTable", from, "", () => [nameTable(mesh)]);
}

function hasHeadless(mesh: Mesh): boolean {
  return [...mesh.services.values()].some((service) => service.isHeadless);
}
