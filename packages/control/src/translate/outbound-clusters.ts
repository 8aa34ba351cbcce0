import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Cluster,
  ClusterSchema,
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_DnsLookupFamily as DnsFamily,
  Cluster_LbPolicy as LbPolicy,
} from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import type { ClusterLoadAssignment } from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_pb";
import type { Endpoint } from "../model/endpoint.ts";
import { localityInForce } from "../model/locality-in-force.ts";
import type { MeshOptions } from "../model/mesh-options.ts";
import { isHttp } from "../model/protocol.ts";
import { resolutionOf } from "../model/resolution.ts";
import type { Service, ServicePort, Subset } from "../model/service.ts";
import { type PortPolicy, policyFor } from "../model/traffic-policy.ts";
import { balancerFields } from "./balancer.ts";
import type { ClientFeatures } from "./client-features.ts";
import { isUnsafe, type ProxyAbilities } from "./credentials.ts";
import { buildAssignment, reachable } from "./endpoints.ts";
import { adsSource, duration, istioMetadata } from "./messages.ts";
import { outboundClusterName, outboundServerName } from "./names.ts";
import type { Place } from "./place.ts";
import { type HttpVersion, httpProtocolOptions } from "./protocol-options.ts";
import { type Transport, withProxyProtocol } from "./proxy-protocol.ts";
import { outboundMeshTls, outboundServerTls, plaintextSocket } from "./tls.ts";
import { circuitBreakers, outlierDetection, tcpKeepalive } from "./traffic-policy.ts";

/**
 * One cluster per port and subset of a service. Depends on the endpoints only
 * where DNS finds them, so that a changed endpoint leaves the others as they are.
 */
export function outboundClusters(
  service: Service,
  endpoints: readonly Endpoint[],
  options: MeshOptions,
  features: ProxyAbilities,
  place: Place,
): Cluster[] {
  return service.ports.flatMap((port) =>
    [undefined, ...service.subsets].map((subset) =>
      outboundCluster(service, port, subset, endpoints, options, features, place),
    ),
  );
}

function outboundCluster(
  service: Service,
  port: ServicePort,
  subset: Subset | undefined,
  endpoints: readonly Endpoint[],
  options: MeshOptions,
  features: ProxyAbilities,
  place: Place,
): Cluster {
  const { hostname, namespace } = service;
  const name = outboundClusterName(port.number, subset?.name ?? "", hostname);
  const policy = policyFor(port.number, service.policy, subset?.policy);
  const services = [{ host: hostname, name: service.name, namespace }];
  const spoken = spokenTo(service, port, policy, options, features);
  const places = localityInForce(service, policy, options.defaults.locality);
  const written = policy.tls?.source ?? service.source;
  const source = subset?.source ?? service.destinationRule ?? written;
  return create(ClusterSchema, {
    name,
    connectTimeout: duration(policy.connectionPool?.connectTimeoutMs ?? options.defaults.connectTimeoutMs),
    circuitBreakers: circuitBreakers(policy),
    outlierDetection: outlierDetection(policy.outlier),
    ...commonBalancing(policy, places),
    ...(spoken ? { typedExtensionProtocolOptions: httpProtocolOptions(spoken, policy) } : {}),
    ...tcpKeepalive(policy.connectionPool),
    metadata: istioMetadata(source, subset ? { services, subset: subset.name } : { services }),
    ...(isUnsafe(policy.tls, features.credentials)
      ? nowhere(name)
      : {
          ...discovery(
            service,
            name,
            policy,
            () =>
              buildAssignment(name, port.number, subset, reachable(endpoints, features), {
                place,
                policy: places,
              }),
            features,
          ),
          ...withProxyProtocol(
            transport(service, port, subset, policy, spoken, options, features),
            policy.proxyProtocol,
          ),
        }),
  });
}

/** When too few endpoints are well for a choice among them, and whether localities have shares. */
function commonBalancing({ outlier }: PortPolicy, places: ReturnType<typeof localityInForce>): ClusterInit {
  if (!outlier && places?.kind !== "distribute") return {};
  return {
    commonLbConfig: {
      ...(outlier ? { healthyPanicThreshold: { value: outlier.minHealthPercent ?? 0 } } : {}),
      ...(places?.kind === "distribute"
        ? { localityConfigSpecifier: { case: "localityWeightedLbConfig", value: {} } }
        : {}),
    },
  };
}

/** Without the Secret that its server asks for, a cluster has no endpoint: it would wait for it, and hold up others. */
function nowhere(clusterName: string): ClusterInit {
  return {
    clusterDiscoveryType: { case: "type", value: DiscoveryType.STATIC },
    loadAssignment: { clusterName },
  };
}

/** Fields of a cluster, to be spread into one. */
type ClusterInit = Exclude<MessageInitShape<typeof ClusterSchema>, Cluster>;

function discovery(
  service: Service,
  name: string,
  policy: PortPolicy,
  assignment: () => ClusterLoadAssignment,
  { families }: ClientFeatures,
): ClusterInit {
  const balancer = balancerFields(policy.balancer);
  switch (resolutionOf(service, policy)) {
    case "passthrough":
      return {
        clusterDiscoveryType: { case: "type", value: DiscoveryType.ORIGINAL_DST },
        lbPolicy: LbPolicy.CLUSTER_PROVIDED,
      };
    case "endpoints":
      return {
        clusterDiscoveryType: { case: "type", value: DiscoveryType.EDS },
        edsClusterConfig: { edsConfig: adsSource(), serviceName: name },
        ...balancer,
      };
    default: {
      const isStrict = service.resolution === "dns";
      const value = isStrict ? DiscoveryType.STRICT_DNS : DiscoveryType.LOGICAL_DNS;
      return {
        clusterDiscoveryType: { case: "type", value },
        dnsLookupFamily: lookupFamily(families, isStrict),
        dnsRefreshRate: duration(60_000),
        loadAssignment: assignment(),
        ...balancer,
      };
    }
  }
}

/**
 * Of which addresses a name is used. Where a caller has both families and every
 * address is an endpoint, those of the other family are not: calls would fail in
 * the share of a network that leads nowhere. One endpoint is tried in both.
 */
function lookupFamily(families: ClientFeatures["families"], isStrict: boolean): DnsFamily {
  if (families === "IPv4") return DnsFamily.V4_ONLY;
  if (families === "IPv6") return DnsFamily.V6_ONLY;
  return isStrict ? DnsFamily.V4_PREFERRED : DnsFamily.ALL;
}

/**
 * How connections are secured: as the DestinationRule says, else mutual TLS to
 * exactly those endpoints that speak it.
 */
function transport(
  service: Service,
  port: ServicePort,
  subset: Subset | undefined,
  policy: PortPolicy,
  spoken: HttpVersion | undefined,
  options: MeshOptions,
  { credentials }: ProxyAbilities,
): Transport {
  const { tls } = policy;
  const { hostname, identities, namespace } = service;
  const peer = {
    serverName: tls?.sni || outboundServerName(port.number, subset?.name ?? "", hostname),
    namespace,
    identities: tls?.subjectAltNames?.length ? tls.subjectAltNames : identities,
    alpn: ["istio", ...alpn(spoken)],
  };
  switch (tls?.mode) {
    case "DISABLE":
      return {};
    case "ISTIO_MUTUAL":
      return { transportSocket: outboundMeshTls(peer, options) };
    case "SIMPLE":
    case "MUTUAL": {
      const server = { host: hostname, names: identities, alpn: alpn(spoken) };
      return { transportSocket: outboundServerTls(tls, server, options, credentials) };
    }
  }
  if (!options.defaults.hasAutoMtls || service.isExternal) return {};
  if (resolutionOf(service, policy) === "passthrough") {
    return service.isMutualTls ? { transportSocket: outboundMeshTls(peer, options) } : {};
  }
  return {
    transportSocketMatches: [
      { name: "tlsMode-istio", match: { tlsMode: "istio" }, transportSocket: outboundMeshTls(peer, options) },
      { name: "tlsMode-disabled", match: {}, transportSocket: plaintextSocket() },
    ],
  };
}

/**
 * The HTTP version between this sidecar and the service; undefined for other
 * protocols. HTTP/1.1 of an application travels as HTTP/2 between two members
 * of the mesh, where many requests share a connection, unless a DestinationRule
 * or the mesh says otherwise (`h2UpgradePolicy`, `useClientProtocol`), or what
 * the caller spoke must still be seen where it arrives.
 */
function spokenTo(
  service: Service,
  port: ServicePort,
  { connectionPool, tls }: PortPolicy,
  { defaults }: MeshOptions,
  { negotiatesHttp }: ClientFeatures,
): HttpVersion | undefined {
  if (!isHttp(port.protocol)) return undefined;
  const written = connectionPool?.http2Upgrade;
  if (written === "as-client") return written;
  if (port.protocol !== "http") return "http2";
  if (!written && service.followsClients?.includes(port.number)) return "as-client";
  const isInMesh = tls ? tls.mode === "ISTIO_MUTUAL" : defaults.hasAutoMtls && !service.isExternal;
  switch (written ?? defaults.http2Upgrade) {
    case "never":
      return "http1";
    case "always":
      return isInMesh && negotiatesHttp ? "negotiated" : "http2";
    default:
      return isInMesh && negotiatesHttp ? "negotiated" : "http1";
  }
}

/**
 * Beside `istio`, which marks the peer as a member of the mesh: what will be
 * spoken inside. Nothing where it is another thing on each connection: members
 * see it by the first bytes, and to servers outside it is offered by itself.
 */
function alpn(spoken: HttpVersion | undefined): readonly string[] {
  return spoken ? alpnOf[spoken] : [];
}

const alpnOf: Readonly<Record<HttpVersion, readonly string[]>> = {
  http1: ["http/1.1"],
  http2: ["h2"],
  negotiated: ["h2", "http/1.1"],
  "as-client": [],
};
