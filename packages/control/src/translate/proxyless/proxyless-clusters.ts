import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Cluster,
  ClusterSchema,
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_LbPolicy as LbPolicy,
} from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import type { Endpoint } from "../../model/endpoint.ts";
import type { MeshOptions } from "../../model/mesh-options.ts";
import { isHttp } from "../../model/protocol.ts";
import { resolutionOf } from "../../model/resolution.ts";
import type { Service, ServicePort, Subset } from "../../model/service.ts";
import { type PortPolicy, policyFor } from "../../model/traffic-policy.ts";
import { balancerFields } from "../balancer.ts";
import { buildAssignment } from "../endpoints.ts";
import { adsSource, istioMetadata } from "../messages.ts";
import { outboundClusterName } from "../names.ts";
import { nowhere } from "../place.ts";
import { outlierDetection } from "../traffic-policy.ts";
import { proxylessClientTls } from "./proxyless-tls.ts";

type ClusterInit = Exclude<MessageInitShape<typeof ClusterSchema>, Cluster>;

/**
 * The clusters of a service's HTTP ports as gRPC takes them: round robin or
 * hashed headers, a limit of requests, outlier detection, mutual TLS to all endpoints or to none.
 * A service that gRPC cannot find the endpoints of, or whose TLS is to servers
 * outside the mesh, has none: its calls fail rather than go out unprotected.
 */
export function proxylessClusters(
  service: Service,
  endpoints: readonly Endpoint[],
  isSecured: boolean,
  options: MeshOptions,
): Cluster[] {
  return service.ports
    .filter((port) => isHttp(port.protocol))
    .flatMap((port) =>
      [undefined, ...service.subsets].flatMap((subset) => {
        const found = discovery(service, port, subset, endpoints);
        const secured = transport(service, port, subset, isSecured, options);
        return found && secured ? [buildCluster(service, port, subset, { ...found, ...secured })] : [];
      }),
    );
}

function buildCluster(
  service: Service,
  port: ServicePort,
  subset: Subset | undefined,
  rest: ClusterInit,
): Cluster {
  const policy = policyFor(port.number, service.policy, subset?.policy);
  const maxRequests = policy.connectionPool?.maxRequests;
  return create(ClusterSchema, {
    name: outboundClusterName(port.number, subset?.name ?? "", service.hostname),
    ...balancer(policy),
    ...(maxRequests ? { circuitBreakers: { thresholds: [{ maxRequests }] } } : {}),
    outlierDetection: outlierDetection(policy.outlier),
    metadata: istioMetadata(subset?.source ?? service.destinationRule ?? service.source),
    ...rest,
  });
}

/** A ring for keys that gRPC has (gRFC A42), which are headers; round robin for all else. */
function balancer({ balancer }: PortPolicy): ClusterInit {
  const isRing =
    balancer?.kind === "consistent-hash" && balancer.table.kind === "ring" && balancer.key?.kind === "header";
  return isRing ? balancerFields(balancer) : { lbPolicy: LbPolicy.ROUND_ROBIN };
}

function discovery(
  service: Service,
  port: ServicePort,
  subset: Subset | undefined,
  endpoints: readonly Endpoint[],
): ClusterInit | undefined {
  const name = outboundClusterName(port.number, subset?.name ?? "", service.hostname);
  switch (resolutionOf(service, policyFor(port.number, service.policy, subset?.policy))) {
    case "endpoints":
      return {
        clusterDiscoveryType: { case: "type", value: DiscoveryType.EDS },
        edsClusterConfig: { edsConfig: adsSource(), serviceName: name },
      };
    case "passthrough":
      return undefined;
    default: {
      // gRPC resolves one name for a cluster.
      const loadAssignment = buildAssignment(name, port.number, subset, endpoints.slice(0, 1), {
        place: nowhere,
        policy: undefined,
      });
      if (loadAssignment.endpoints.length === 0) return undefined;
      return { clusterDiscoveryType: { case: "type", value: DiscoveryType.LOGICAL_DNS }, loadAssignment };
    }
  }
}

/** Undefined where gRPC's certificates cannot do what is asked. */
function transport(
  service: Service,
  port: ServicePort,
  subset: Subset | undefined,
  isSecured: boolean,
  options: MeshOptions,
): ClusterInit | undefined {
  const { tls } = policyFor(port.number, service.policy, subset?.policy);
  const isAsked = tls?.mode === "ISTIO_MUTUAL";
  if (tls && !isAsked) return tls.mode === "DISABLE" ? {} : undefined;
  if (!isAsked && (!options.defaults.hasAutoMtls || service.isExternal || !isSecured)) return {};
  const names = tls?.subjectAltNames?.length ? tls.subjectAltNames : service.identities;
  const inNamespace = `spiffe://${options.trustDomain}/ns/${service.namespace}/sa/`;
  return {
    transportSocket: proxylessClientTls(names.length > 0 ? { exact: names } : { prefix: inNamespace }),
  };
}
