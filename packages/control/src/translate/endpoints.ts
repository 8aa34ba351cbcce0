import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { HealthStatus } from "@weft/xds/gen/envoy/config/core/v3/health_check_pb";
import type { LbEndpointSchema } from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_components_pb";
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
} from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_pb";
import type { Endpoint } from "../model/endpoint.ts";
import { hasLabels } from "../model/host.ts";
import type { Locality } from "../model/locality.ts";
import { resolutionOf } from "../model/resolution.ts";
import type { Service, Subset } from "../model/service.ts";
import { policyFor } from "../model/traffic-policy.ts";
import { socketAddress } from "./messages.ts";
import { outboundClusterName } from "./names.ts";

/** One assignment per port and subset of a service whose endpoints the mesh knows. */
export function endpointAssignments(
  service: Service,
  endpoints: readonly Endpoint[],
): ClusterLoadAssignment[] {
  return service.ports.flatMap((port) =>
    [undefined, ...service.subsets].flatMap((subset) => {
      const policy = policyFor(port.number, service.policy, subset?.policy);
      if (resolutionOf(service, policy) !== "endpoints") return [];
      const name = outboundClusterName(port.number, subset?.name ?? "", service.hostname);
      return buildAssignment(name, port.number, subset, endpoints);
    }),
  );
}

export function buildAssignment(
  clusterName: string,
  servicePort: number,
  subset: Subset | undefined,
  endpoints: readonly Endpoint[],
): ClusterLoadAssignment {
  const own = endpoints.filter((endpoint) => hasLabels(endpoint.labels, subset?.labels));
  const places = Map.groupBy(own, ({ locality }) => localityKey(locality));
  return create(ClusterLoadAssignmentSchema, {
    clusterName,
    endpoints: [...places]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, group]) => {
        const lbEndpoints = group.flatMap((endpoint) => lbEndpoint(endpoint, servicePort));
        if (lbEndpoints.length === 0) return [];
        // gRPC passes over endpoints without a locality, and localities without a weight.
        const loadBalancingWeight = lbEndpoints.reduce((sum, e) => sum + (e.loadBalancingWeight ?? 1), 0);
        return { locality: group[0]!.locality ?? {}, loadBalancingWeight, lbEndpoints };
      }),
  });
}

function localityKey(locality: Locality | undefined): string {
  return locality ? `${locality.region}/${locality.zone}/${locality.subZone}` : "";
}

function lbEndpoint(endpoint: Endpoint, servicePort: number): MessageInitShape<typeof LbEndpointSchema>[] {
  const own = endpoint.ports.find((p) => p.servicePort === servicePort);
  if (!own) return [];
  const filterMetadata = {
    ...(endpoint.workload === "" ? {} : { istio: { workload: endpoint.workload } }),
    ...(own.isMutualTls ? { "envoy.transport_socket_match": { tlsMode: "istio" } } : {}),
  };
  return [
    {
      hostIdentifier: { case: "endpoint", value: { address: socketAddress(endpoint.address, own.port) } },
      healthStatus: HealthStatus.HEALTHY,
      metadata: { filterMetadata },
      ...(endpoint.weight > 0 ? { loadBalancingWeight: endpoint.weight } : {}),
    },
  ];
}
