import { isIPv6 } from "node:net";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { HealthStatus } from "@weft/xds/gen/envoy/config/core/v3/health_check_pb";
import type {
  LbEndpoint,
  LbEndpointSchema,
} from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_components_pb";
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
} from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_pb";
import { addressesOf, type Endpoint } from "../model/endpoint.ts";
import { hasLabels } from "../model/host.ts";
import { localityInForce } from "../model/locality-in-force.ts";
import type { LocalityPolicy } from "../model/locality-policy.ts";
import { resolutionOf } from "../model/resolution.ts";
import type { Service, Subset } from "../model/service.ts";
import { policyFor } from "../model/traffic-policy.ts";
import { orderByPlace } from "./locality-order.ts";
import { placesOf } from "./messages.ts";
import { outboundClusterName } from "./names.ts";
import type { Place } from "./place.ts";

/** From where a service is called, and what holds of places where it does not say. */
export interface CalledFrom {
  readonly place: Place;
  readonly usual: LocalityPolicy;
  /** Envoy on a machine that has none refuses an assignment with an IPv6 address in it. */
  readonly hasIpv6: boolean;
}

/** Whether all that there is of these endpoints can be given to the caller. */
export function isReachable(endpoints: readonly Endpoint[], { hasIpv6 }: Pick<CalledFrom, "hasIpv6">) {
  return hasIpv6 || !endpoints.some((endpoint) => addressesOf(endpoint).some(isIPv6));
}

/** What of them it can be given. */
export function reachable(endpoints: readonly Endpoint[], from: Pick<CalledFrom, "hasIpv6">) {
  return isReachable(endpoints, from) ? endpoints : endpoints.flatMap(overIpv4);
}

function overIpv4(endpoint: Endpoint): Endpoint[] {
  const { address: _, otherAddresses, ...same } = endpoint;
  const [address, ...others] = addressesOf(endpoint).filter((one) => !isIPv6(one));
  if (address === undefined) return [];
  return [{ address, ...(others.length > 0 ? { otherAddresses: others } : {}), ...same }];
}

/** One assignment per port and subset of a service whose endpoints the mesh knows. */
export function endpointAssignments(
  service: Service,
  all: readonly Endpoint[],
  from: CalledFrom,
): ClusterLoadAssignment[] {
  const endpoints = reachable(all, from);
  return service.ports.flatMap((port) =>
    [undefined, ...service.subsets].flatMap((subset) => {
      const policy = policyFor(port.number, service.policy, subset?.policy);
      if (resolutionOf(service, policy) !== "endpoints") return [];
      const name = outboundClusterName(port.number, subset?.name ?? "", service.hostname);
      return buildAssignment(name, port.number, subset, endpoints, {
        place: from.place,
        policy: localityInForce(service, policy, from.usual),
      });
    }),
  );
}

/** What places have to do with an assignment. */
interface Placed {
  readonly place: Place;
  readonly policy: ReturnType<typeof localityInForce>;
}

export function buildAssignment(
  clusterName: string,
  servicePort: number,
  subset: Subset | undefined,
  endpoints: readonly Endpoint[],
  { place, policy }: Placed,
): ClusterLoadAssignment {
  const own = endpoints.filter(
    ({ labels, ports }) =>
      hasLabels(labels, subset?.labels) && ports.some((port) => port.servicePort === servicePort),
  );
  return create(ClusterLoadAssignmentSchema, {
    clusterName,
    endpoints: orderByPlace(own, policy, place).map(({ locality = {}, priority, weight, endpoints }) => {
      const lbEndpoints = endpoints.map((endpoint) => lbEndpoint(endpoint, servicePort));
      // gRPC passes over endpoints without a locality, and localities without a weight.
      const sum = lbEndpoints.reduce((total, e) => total + (e.loadBalancingWeight ?? 1), 0);
      return { locality, priority, loadBalancingWeight: weight ?? sum, lbEndpoints };
    }),
  });
}

type LbEndpointInit = Exclude<MessageInitShape<typeof LbEndpointSchema>, LbEndpoint>;

function lbEndpoint(endpoint: Endpoint, servicePort: number): LbEndpointInit {
  const own = endpoint.ports.find((p) => p.servicePort === servicePort)!;
  const filterMetadata = {
    ...(endpoint.workload === "" ? {} : { istio: { workload: endpoint.workload } }),
    ...(own.isMutualTls ? { "envoy.transport_socket_match": { tlsMode: "istio" } } : {}),
  };
  return {
    hostIdentifier: { case: "endpoint", value: placesOf(addressesOf(endpoint), own.port) },
    healthStatus: HealthStatus.HEALTHY,
    metadata: { filterMetadata },
    ...(endpoint.weight > 0 ? { loadBalancingWeight: endpoint.weight } : {}),
  };
}
