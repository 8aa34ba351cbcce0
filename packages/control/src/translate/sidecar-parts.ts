import type { Message } from "@bufbuild/protobuf";
import type { Endpoint, Mesh, MeshWorkload, Service } from "../model/mesh.ts";
import { type Caller, callerKey } from "./caller.ts";
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
import { httpPorts, outboundRoutes, routingsOn, upstreamRoutes } from "./outbound-routes.ts";

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
  /** Hostname, of the assignments of a service. */
  readonly service?: string;
  build(): readonly Message[];
}

/** What sidecars that call alike and can do alike are given, in the smallest parts that change together. Pure, and cheap until built. */
export function commonSidecarParts(
  mesh: Mesh,
  caller: Caller,
  interception: MeshWorkload["interception"],
  features: ClientFeatures,
): SidecarPart[] {
  const { options } = mesh;
  return [
    ...[...mesh.services.values()].flatMap((service) => serviceParts(service, mesh, features)),
    part("fixed-clusters", "cluster", [options], "", () => outboundFixedClusters(options)),
    namesPart(mesh),
    ...(interception === "NONE" ? [] : capturedParts(mesh, caller, features)),
  ];
}

/** What is given to the sidecars of one workload alone. */
export function ownSidecarParts(
  mesh: Mesh,
  workload: MeshWorkload,
  caller: Caller,
  features: ClientFeatures,
): SidecarPart[] {
  const { options } = mesh;
  const variant = featuresKey(features);
  return [
    part("inbound-clusters", "cluster", [workload, options], variant, () =>
      inboundClusters(workload, options, features),
    ),
    part("inbound-listeners", "listener", [workload, options], variant, () =>
      inboundListeners(workload, options, features),
    ),
    ...(workload.interception === "NONE" ? explicitParts(mesh, workload, caller, features) : []),
  ];
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

/** The clusters and endpoints of one service. */
export function serviceParts(service: Service, mesh: Mesh, features: ClientFeatures): SidecarPart[] {
  const { options } = mesh;
  const endpoints = mesh.endpoints.get(service.hostname) ?? none;
  const isByDns = service.resolution.startsWith("dns");
  const from = isByDns ? [service, endpoints, options] : [service, options];
  const variant = features.negotiatesHttp ? "negotiated" : "";
  return [
    part("clusters", "cluster", from, variant, () =>
      outboundClusters(service, isByDns ? endpoints : none, options, features),
    ),
    endpointsPart(service, endpoints),
  ];
}

/** The same for every kind of client, so that a changed endpoint is encoded once. */
export function endpointsPart(service: Service, endpoints: readonly Endpoint[]): SidecarPart {
  const build = () => endpointAssignments(service, endpoints);
  return {
    ...part("endpoints", "endpoint", [service, endpoints], "", build),
    service: service.hostname,
  };
}

/** One object for all, so that what is made from no endpoints is shared too. */
const none: readonly never[] = [];

function capturedParts(mesh: Mesh, caller: Caller, features: ClientFeatures): SidecarPart[] {
  const { options } = mesh;
  const feature = featuresKey(features);
  const from = [mesh.services, mesh.routing, mesh.attached, options];
  const variant = callerKey(caller);
  const listenersFrom = hasHeadless(mesh) ? [...from, mesh.endpoints] : from;
  return [
    part("virtual-outbound", "listener", [options], feature, () => [virtualOutbound(options, features)]),
    part("outbound-listeners", "listener", listenersFrom, `${variant} ${feature}`, () =>
      outboundListeners(mesh, mesh.endpoints, caller, features),
    ),
    ...httpPorts(mesh).map((port) =>
      part(`routes-${port}`, "route", [mesh.services, options, ...routingsOn(port, mesh)], variant, () => [
        outboundRoutes(port, mesh, caller),
      ]),
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
  const from = [workload, mesh.services, mesh.routing, mesh.attached, options];
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
