import { createHash } from "node:crypto";
import { isIP } from "node:net";
import { toBinary } from "@bufbuild/protobuf";
import {
  type Cluster,
  ClusterSchema,
  UpstreamConnectionOptions_FirstAddressFamilyVersion as FamilyVersion,
  type UpstreamConnectionOptions_HappyEyeballsConfig as HappyEyeballsConfig,
} from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import type { TcpKeepalive } from "@weft/xds/gen/envoy/config/core/v3/address_pb";
import type { ClusterPlan, Discovery, TransportPlan } from "../cluster/cluster-plan.ts";
import type { AddressOrder } from "../net/address-order.ts";
import type { TcpKeepalivePlan } from "../net/tcp-keepalive.ts";
import { decodeLbPolicy } from "./decode-balancer.ts";
import {
  type BalancingChoice,
  decodeBalancingPolicy,
  decodeLocalityConfig,
} from "./decode-balancing-policy.ts";
import { decodeBreakers } from "./decode-circuit-breakers.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeDiscovery } from "./decode-discovery.ts";
import { decodeHealthChecks } from "./decode-health-check.ts";
import { decodeOutlier } from "./decode-outlier.ts";
import { decodeSubsets } from "./decode-subsets.ts";
import { decodeProtocol } from "./decode-upstream-protocol.ts";
import { decodeUpstreamTransport } from "./decode-upstream-transport.ts";
import { metadataPairs, originOf, timeoutMs } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";

/** Decodes a cluster. The plan is usable only when `context.issues` stayed empty. */
export function decodeCluster(cluster: Cluster, path: string, context: DecodeContext): ClusterPlan {
  const { issues } = context;
  if (cluster.name === "") issues.add(at(path, "name"), "is empty", "name the cluster");
  const http = decodeProtocol(cluster, path, issues);
  const discovery = decodeDiscovery(cluster, path, context);
  const hasOwnEndpoints = discovery.kind !== "original-dst" && discovery.kind !== "aggregate";
  if (!hasOwnEndpoints && cluster.healthChecks.length > 0) {
    issues.add(at(path, "health_checks"), "this kind of cluster has no endpoints to check", "remove it");
  }
  const originalDst = cluster.lbConfig.case === "originalDstLbConfig" ? cluster.lbConfig.value : undefined;
  return {
    name: cluster.name,
    statName: cluster.altStatName || cluster.name,
    discovery,
    connectTimeoutMs: timeoutMs(cluster.connectTimeout, 5_000, at(path, "connect_timeout"), issues),
    ...decodeBalancing(cluster, discovery, path, issues),
    breakers: decodeBreakers(cluster.circuitBreakers?.thresholds ?? []),
    panicThresholdPercent: cluster.commonLbConfig?.healthyPanicThreshold?.value,
    service: decodeService(cluster),
    outlier:
      cluster.outlierDetection &&
      decodeOutlier(cluster.outlierDetection, at(path, "outlier_detection"), issues),
    healthCheck: decodeHealthChecks(cluster.healthChecks, at(path, "health_checks"), issues),
    ignoresUncheckedEndpoints: cluster.commonLbConfig?.ignoreNewHostsUntilFirstHc ?? false,
    ignoresHealthOnRemoval: cluster.ignoreHealthOnHostRemoval,
    closesConnectionsOnFailure: cluster.closeConnectionsOnHostHealthFailure,
    isErrorAnswer: http.isErrorAnswer,
    protocol: http.protocol,
    tunnelsByHttp2: http.tunnelsByHttp2,
    keepsTrailers: http.keepsTrailers,
    properCaseHeaders: http.properCaseHeaders,
    http2: http.http2,
    transports: decodeTransports(cluster, path, context),
    maxRequestsPerConnection: http.maxRequestsPerConnection,
    idleTimeoutMs: http.idleTimeoutMs,
    maxConnectionDurationMs: http.maxConnectionDurationMs,
    maxResponseHeaders: http.maxResponseHeaders,
    tcpKeepalive: decodeTcpKeepalive(cluster.upstreamConnectionOptions?.tcpKeepalive),
    addressOrder: decodeAddressOrder(
      cluster.upstreamConnectionOptions?.happyEyeballsConfig,
      at(path, "upstream_connection_options.happy_eyeballs_config"),
      issues,
    ),
    closesConnectionsOnChange: cluster.commonLbConfig?.closeConnectionsOnHostSetChange ?? false,
    bufferLimitBytes: cluster.perConnectionBufferLimitBytes ?? 1024 * 1024,
    bindAddresses: decodeBindAddresses(cluster, path, issues),
    originalDstHeader: originalDst?.useHttpHeader
      ? (originalDst.httpHeaderName || "x-envoy-original-dst-host").toLowerCase()
      : undefined,
    origin: originOf(cluster.metadata),
    fingerprint: createHash("sha1").update(toBinary(ClusterSchema, cluster)).digest("base64"),
  };
}

function decodeAddressOrder(
  config: HappyEyeballsConfig | undefined,
  path: string,
  issues: Issues,
): AddressOrder | undefined {
  if (!config) return undefined;
  const { firstAddressFamilyVersion, firstAddressFamilyCount: firstCount = 1 } = config;
  if (firstCount < 1) issues.add(at(path, "first_address_family_count"), "is below 1");
  return { firstFamily: firstFamilies[firstAddressFamilyVersion], firstCount };
}

const firstFamilies: Readonly<Record<FamilyVersion, AddressOrder["firstFamily"]>> = {
  [FamilyVersion.DEFAULT]: undefined,
  [FamilyVersion.V4]: "IPv4",
  [FamilyVersion.V6]: "IPv6",
};

function decodeTcpKeepalive(keepalive: TcpKeepalive | undefined): TcpKeepalivePlan | undefined {
  if (!keepalive) return undefined;
  const { keepaliveTime, keepaliveInterval, keepaliveProbes } = keepalive;
  return { timeS: keepaliveTime, intervalS: keepaliveInterval, probes: keepaliveProbes };
}

/** `load_balancing_policy` takes the place of `lb_policy` and of what belongs to that. */
function decodeBalancing(
  cluster: Cluster,
  discovery: Discovery,
  path: string,
  issues: Issues,
): BalancingChoice {
  const { commonLbConfig, loadBalancingPolicy } = cluster;
  const locality = commonLbConfig?.localityConfigSpecifier.case;
  if (!loadBalancingPolicy) {
    return {
      balancer: decodeLbPolicy(cluster, discovery, path, issues),
      ...decodeLocalityConfig(commonLbConfig?.localityConfigSpecifier, at(path, "common_lb_config"), issues),
      subsets: decodeSubsets(cluster.lbSubsetConfig, at(path, "lb_subset_config"), issues),
    };
  }
  const place = at(path, "load_balancing_policy");
  const hint = "move it into the policy";
  if (cluster.lbSubsetConfig) issues.add(place, "excludes `lb_subset_config`", hint);
  if (locality || commonLbConfig?.consistentHashingLbConfig) {
    issues.add(place, "excludes the locality and consistent hashing fields of `common_lb_config`", hint);
  }
  return decodeBalancingPolicy(loadBalancingPolicy, discovery, place, issues);
}

/** The service a control plane says this cluster stands for. */
function decodeService(cluster: Cluster): ClusterPlan["service"] {
  const services = cluster.metadata?.filterMetadata.istio?.services;
  const first: unknown = Array.isArray(services) ? services[0] : undefined;
  if (typeof first !== "object" || first === null || Array.isArray(first)) return undefined;
  const { host, name, namespace } = first as Readonly<Record<string, unknown>>;
  return { host: String(host ?? ""), name: String(name ?? ""), namespace: String(namespace ?? "") };
}

function decodeBindAddresses(cluster: Cluster, path: string, issues: Issues): readonly string[] {
  const { sourceAddress, extraSourceAddresses = [] } = cluster.upstreamBindConfig ?? {};
  const sources = [
    [sourceAddress, at(path, "upstream_bind_config.source_address")] as const,
    ...extraSourceAddresses.map(
      ({ address }, i) =>
        [address, `${at(path, "upstream_bind_config.extra_source_addresses")}[${i}].address`] as const,
    ),
  ];
  return sources.flatMap(([source, place]) => {
    if (!source) return [];
    if (isIP(source.address) === 0)
      issues.add(at(place, "address"), `${JSON.stringify(source.address)} is not an IP address`);
    if (source.portSpecifier.case === "portValue" && source.portSpecifier.value !== 0) {
      issues.add(at(place, "port_value"), "a fixed source port allows one connection only", "use 0");
    }
    return source.address;
  });
}

function decodeTransports(cluster: Cluster, path: string, context: DecodeContext): readonly TransportPlan[] {
  const plans = cluster.transportSocketMatches.map((match, i): TransportPlan => {
    const place = `${at(path, "transport_socket_matches")}[${i}]`;
    if (!match.transportSocket) context.issues.add(at(place, "transport_socket"), "is missing");
    return {
      name: match.name,
      match: metadataPairs(match.match),
      ...decodeUpstreamTransport(match.transportSocket, at(place, "transport_socket"), context),
    };
  });
  return [
    ...plans,
    {
      match: [],
      ...decodeUpstreamTransport(cluster.transportSocket, at(path, "transport_socket"), context),
    },
  ];
}
