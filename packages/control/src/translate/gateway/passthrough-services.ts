import { create } from "@bufbuild/protobuf";
import {
  type Cluster,
  ClusterSchema,
  Cluster_DiscoveryType as DiscoveryType,
} from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import type { ClusterLoadAssignment } from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_pb";
import type { GatewayRole, GatewayServer } from "../../model/gateway.ts";
import { commonHost } from "../../model/host.ts";
import { localityInForce } from "../../model/locality-in-force.ts";
import type { Mesh } from "../../model/mesh.ts";
import { resolutionOf } from "../../model/resolution.ts";
import type { Service, ServicePort, Subset } from "../../model/service.ts";
import { policyFor } from "../../model/traffic-policy.ts";
import { balancerFields } from "../balancer.ts";
import type { ClientFeatures } from "../client-features.ts";
import { buildAssignment, reachable } from "../endpoints.ts";
import { adsSource, duration, istioMetadata } from "../messages.ts";
import { outboundServerName } from "../names.ts";
import { none } from "../part.ts";
import type { Place } from "../place.ts";
import { circuitBreakers, outlierDetection, tcpKeepalive } from "../traffic-policy.ts";

/** A port of a service, or of a subset of it, that members reach through a gateway. */
export interface PassedOn {
  /** What they say in the server name, and what its cluster is called. */
  readonly name: string;
  readonly service: Service;
  readonly port: ServicePort;
  readonly subset: Subset | undefined;
}

/** Whether some server of a gateway passes members of the mesh on. */
export function passesMembers({ listeners }: GatewayRole): boolean {
  return listeners.some(({ servers }) => servers.some((server) => server.passesMembers));
}

/** What of the mesh's own services a server passes members on to: those of its hosts, from the namespaces it names. */
export function passedOnBy(
  { hosts, passesMembers: passes }: GatewayServer,
  { services }: Pick<Mesh, "services">,
): PassedOn[] {
  if (!passes) return [];
  return [...services.values()].filter((service) => isMeant(service, hosts)).flatMap(namesOf);
}

function isMeant(service: Service, hosts: GatewayServer["hosts"]): boolean {
  if (service.isExternal) return false;
  return hosts.some(
    ({ namespace, host }) =>
      (namespace === undefined || namespace === service.namespace) &&
      commonHost(host, service.hostname) === service.hostname,
  );
}

function namesOf(service: Service): PassedOn[] {
  return service.ports.flatMap((port) =>
    [undefined, ...service.subsets].flatMap((subset) => {
      const policy = policyFor(port.number, service.policy, subset?.policy);
      if (resolutionOf(service, policy) !== "endpoints") return [];
      const name = outboundServerName(port.number, subset?.name ?? "", service.hostname);
      return { name, service, port, subset };
    }),
  );
}

/** Each once, whichever servers of the gateway pass members on to it. */
function passedOn({ listeners }: GatewayRole, mesh: Pick<Mesh, "services">): PassedOn[] {
  const all = listeners.flatMap(({ servers }) => servers.flatMap((server) => passedOnBy(server, mesh)));
  return [...new Map(all.map((one) => [one.name, one])).values()];
}

/** Clusters without TLS of their own: what a member and a service say to each other passes unseen. */
export function passthroughClusters(
  gateway: GatewayRole,
  mesh: Pick<Mesh, "services" | "options">,
): Cluster[] {
  return passedOn(gateway, mesh).map(({ name, service, port, subset }) => {
    const { hostname: host, namespace } = service;
    const policy = policyFor(port.number, service.policy, subset?.policy);
    const connectTimeoutMs =
      policy.connectionPool?.connectTimeoutMs ?? mesh.options.defaults.connectTimeoutMs;
    return create(ClusterSchema, {
      name,
      clusterDiscoveryType: { case: "type", value: DiscoveryType.EDS },
      edsClusterConfig: { edsConfig: adsSource(), serviceName: name },
      connectTimeout: duration(connectTimeoutMs),
      circuitBreakers: circuitBreakers(policy),
      outlierDetection: outlierDetection(policy.outlier),
      ...balancerFields(policy.balancer),
      ...tcpKeepalive(policy.connectionPool),
      metadata: istioMetadata(subset?.source ?? service.source, {
        services: [{ host, name: service.name, namespace }],
      }),
    });
  });
}

/** Of them those endpoints that end mutual TLS themselves: others would be sent what they cannot read. */
export function passthroughAssignments(
  gateway: GatewayRole,
  mesh: Pick<Mesh, "endpoints" | "options" | "services">,
  place: Place,
  { hasIpv6 }: Pick<ClientFeatures, "hasIpv6">,
): ClusterLoadAssignment[] {
  return passedOn(gateway, mesh).map(({ name, service, port, subset }) => {
    const all = mesh.endpoints.get(service.hostname) ?? none;
    const members = reachable(all, { hasIpv6 }).map((endpoint) => ({
      ...endpoint,
      ports: endpoint.ports.filter(({ isMutualTls }) => isMutualTls),
    }));
    const policy = policyFor(port.number, service.policy, subset?.policy);
    return buildAssignment(name, port.number, subset, members, {
      place,
      policy: localityInForce(service, policy, mesh.options.defaults.locality),
    });
  });
}
