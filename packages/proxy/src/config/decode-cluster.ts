import { createHash } from "node:crypto";
import { isIP } from "node:net";
import { toBinary } from "@bufbuild/protobuf";
import type { CircuitBreakers_Thresholds } from "@weft/xds/gen/envoy/config/cluster/v3/circuit_breaker_pb";
import {
  type Cluster,
  ClusterSchema,
  Cluster_LbSubsetConfig_LbSubsetFallbackPolicy as Fallback,
  Cluster_DnsLookupFamily as Family,
  Cluster_LbPolicy as LbPolicy,
  Cluster_DiscoveryType as Type,
} from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import type { OutlierDetection } from "@weft/xds/gen/envoy/config/cluster/v3/outlier_detection_pb";
import { RoutingPriority } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import type { HttpProtocolOptions } from "@weft/xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb";
import type {
  BalancerPlan,
  BreakerLimits,
  ClusterPlan,
  Discovery,
  OutlierPlan,
  SubsetPlan,
  TransportPlan,
} from "../cluster/cluster-plan.ts";
import type { Http2Plan } from "../http2/http2-plan.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeEndpoints } from "./decode-endpoints.ts";
import { decodeHttp2 } from "./decode-http2.ts";
import { decodeUpstreamTls } from "./decode-tls.ts";
import { metadataPairs, originOf, requireAds, timeoutMs } from "./decode-values.ts";
import { unpackAny } from "./extension-registry.ts";
import { at, atKey, type Issues } from "./issues.ts";

const protocolOptionsKey = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const defaultIdleTimeoutMs = 3_600_000;

/** Decodes a cluster. The plan is usable only when `context.issues` stayed empty. */
export function decodeCluster(cluster: Cluster, path: string, context: DecodeContext): ClusterPlan {
  const { issues } = context;
  if (cluster.name === "") issues.add(at(path, "name"), "is empty", "name the cluster");
  const http = decodeProtocol(cluster, path, issues);
  // The client of management servers keeps their connections alive by itself.
  if (http.keepsAlive && !context.managementClusters?.has(cluster.name)) {
    issues.add(
      at(path, "typed_extension_protocol_options"),
      "`connection_keepalive` is not implemented by this proxy",
      "use upstream_connection_options.tcp_keepalive",
    );
  }
  const discovery = decodeDiscovery(cluster, path, context);
  const originalDst = cluster.lbConfig.case === "originalDstLbConfig" ? cluster.lbConfig.value : undefined;
  return {
    name: cluster.name,
    statName: cluster.altStatName || cluster.name,
    discovery,
    connectTimeoutMs: timeoutMs(cluster.connectTimeout, 5_000, at(path, "connect_timeout"), issues),
    balancer: decodeBalancer(cluster, discovery, path, issues),
    subsets: decodeSubsets(cluster, path, issues),
    breakers: decodeBreakers(cluster.circuitBreakers?.thresholds ?? []),
    panicThresholdPercent: cluster.commonLbConfig?.healthyPanicThreshold?.value,
    isLocalityWeighted: cluster.commonLbConfig?.localityConfigSpecifier.case === "localityWeightedLbConfig",
    service: decodeService(cluster),
    outlier:
      cluster.outlierDetection &&
      decodeOutlier(cluster.outlierDetection, at(path, "outlier_detection"), issues),
    protocol: http.protocol,
    http2: http.http2,
    transports: decodeTransports(cluster, path, context).map((transport) =>
      http.protocol === "http2" ? offeringHttp2(transport) : transport,
    ),
    maxRequestsPerConnection: http.maxRequestsPerConnection,
    idleTimeoutMs: http.idleTimeoutMs,
    bufferLimitBytes: cluster.perConnectionBufferLimitBytes ?? 1024 * 1024,
    bindAddresses: decodeBindAddresses(cluster, path, issues),
    originalDstHeader: originalDst?.useHttpHeader
      ? (originalDst.httpHeaderName || "x-envoy-original-dst-host").toLowerCase()
      : undefined,
    origin: originOf(cluster.metadata),
    fingerprint: createHash("sha1").update(toBinary(ClusterSchema, cluster)).digest("base64"),
  };
}

function decodeDiscovery(cluster: Cluster, path: string, context: DecodeContext): Discovery {
  const { issues } = context;
  const type = cluster.clusterDiscoveryType;
  const kind = type.case === "type" ? type.value : Type.STATIC;
  const assignment = cluster.loadAssignment;
  if (kind === Type.EDS) {
    if (!cluster.edsClusterConfig?.edsConfig)
      issues.add(at(path, "eds_cluster_config.eds_config"), "is missing", "set `ads: {}`");
    else if (cluster.edsClusterConfig.edsConfig.configSourceSpecifier.case !== "ads") {
      issues.add(at(path, "eds_cluster_config.eds_config"), "endpoints come over ADS only", "set `ads: {}`");
    } else requireAds(at(path, "eds_cluster_config.eds_config"), context);
    return { kind: "eds", serviceName: cluster.edsClusterConfig?.serviceName || cluster.name };
  }
  if (kind === Type.ORIGINAL_DST) return { kind: "original-dst" };
  const resolves = kind !== Type.STATIC;
  const endpoints = assignment
    ? decodeEndpoints(assignment, resolves, at(path, "load_assignment"), issues)
    : [];
  if (!assignment) issues.add(at(path, "load_assignment"), "is missing", "list the endpoints");
  if (!resolves) return { kind: "static", endpoints };
  const count = endpoints.reduce((sum, locality) => sum + locality.endpoints.length, 0);
  if (kind === Type.LOGICAL_DNS && count !== 1) {
    issues.add(at(path, "load_assignment"), `a LOGICAL_DNS cluster has one endpoint, not ${count}`);
  }
  return {
    kind: kind === Type.LOGICAL_DNS ? "logical-dns" : "strict-dns",
    endpoints,
    family: families[cluster.dnsLookupFamily],
    refreshMs: timeoutMs(cluster.dnsRefreshRate, 5_000, at(path, "dns_refresh_rate"), issues) || 5_000,
  };
}

const families: Readonly<Record<Family, Extract<Discovery, { readonly refreshMs: number }>["family"]>> = {
  [Family.AUTO]: "auto",
  [Family.V4_ONLY]: "v4-only",
  [Family.V6_ONLY]: "v6-only",
  [Family.V4_PREFERRED]: "v4-preferred",
  [Family.ALL]: "all",
};

/** The service a control plane says this cluster stands for. */
function decodeService(cluster: Cluster): ClusterPlan["service"] {
  const services = cluster.metadata?.filterMetadata.istio?.services;
  const first: unknown = Array.isArray(services) ? services[0] : undefined;
  if (typeof first !== "object" || first === null || Array.isArray(first)) return undefined;
  const { host, name, namespace } = first as Readonly<Record<string, unknown>>;
  return { host: String(host ?? ""), name: String(name ?? ""), namespace: String(namespace ?? "") };
}

function decodeBalancer(cluster: Cluster, discovery: Discovery, path: string, issues: Issues): BalancerPlan {
  const isOriginalDst = discovery.kind === "original-dst";
  if (isOriginalDst !== (cluster.lbPolicy === LbPolicy.CLUSTER_PROVIDED)) {
    issues.add(at(path, "lb_policy"), "CLUSTER_PROVIDED goes with ORIGINAL_DST clusters, and only with them");
  }
  switch (cluster.lbPolicy) {
    case LbPolicy.ROUND_ROBIN:
      return { kind: "round-robin" };
    case LbPolicy.RANDOM:
      return { kind: "random" };
    case LbPolicy.LEAST_REQUEST: {
      const config = cluster.lbConfig;
      const choiceCount = config.case === "leastRequestLbConfig" ? (config.value.choiceCount ?? 2) : 2;
      if (choiceCount < 2) issues.add(at(path, "least_request_lb_config.choice_count"), "is at least 2");
      return { kind: "least-request", choiceCount };
    }
    case LbPolicy.CLUSTER_PROVIDED:
      return { kind: "cluster-provided" };
    default:
      issues.add(
        at(path, "lb_policy"),
        `${LbPolicy[cluster.lbPolicy]} is not implemented by this proxy`,
        "use ROUND_ROBIN, LEAST_REQUEST or RANDOM",
      );
      return { kind: "round-robin" };
  }
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

const fallbacks: Readonly<Record<Fallback, SubsetPlan["fallback"]>> = {
  [Fallback.NO_FALLBACK]: "no-endpoint",
  [Fallback.ANY_ENDPOINT]: "any-endpoint",
  [Fallback.DEFAULT_SUBSET]: "default-subset",
};

function decodeSubsets(cluster: Cluster, path: string, issues: Issues): SubsetPlan | undefined {
  const config = cluster.lbSubsetConfig;
  if (!config || config.subsetSelectors.length === 0) return undefined;
  config.subsetSelectors.forEach((selector, i) => {
    if (selector.keys.length === 0) {
      issues.add(at(`${at(path, "lb_subset_config.subset_selectors")}[${i}]`, "keys"), "is empty");
    }
  });
  return {
    selectors: config.subsetSelectors.map((selector) => [...new Set(selector.keys)].sort()),
    fallback: fallbacks[config.fallbackPolicy],
    defaultSubset: metadataPairs(config.defaultSubset),
  };
}

const defaultLimits: BreakerLimits = {
  maxConnections: 1024,
  maxPendingRequests: 1024,
  maxRequests: 1024,
  maxRetries: 3,
  retryBudgetPercent: 20,
  minRetryConcurrency: 3,
};

/** Read as no limit of its own: a configured retry budget takes its place, as in Envoy. */
const unlimited = 2 ** 32 - 1;

function decodeBreakers(thresholds: readonly CircuitBreakers_Thresholds[]): ClusterPlan["breakers"] {
  const of = (priority: RoutingPriority): BreakerLimits => {
    const limits = thresholds.find((threshold) => threshold.priority === priority);
    if (!limits) return defaultLimits;
    const budget = limits.retryBudget;
    const maxRetries = limits.maxRetries ?? defaultLimits.maxRetries;
    return {
      maxConnections: limits.maxConnections ?? defaultLimits.maxConnections,
      maxPendingRequests: limits.maxPendingRequests ?? defaultLimits.maxPendingRequests,
      maxRequests: limits.maxRequests ?? defaultLimits.maxRequests,
      maxRetries: budget ? unlimited : maxRetries,
      retryBudgetPercent: budget?.budgetPercent?.value ?? defaultLimits.retryBudgetPercent,
      // Without a budget of its own, the limit that was asked for is never undercut by the standing one.
      minRetryConcurrency: budget
        ? (budget.minRetryConcurrency ?? defaultLimits.minRetryConcurrency)
        : Math.max(maxRetries, defaultLimits.minRetryConcurrency),
    };
  };
  return { default: of(RoutingPriority.DEFAULT), high: of(RoutingPriority.HIGH) };
}

function decodeOutlier(outlier: OutlierDetection, path: string, issues: Issues): OutlierPlan {
  const baseEjectionMs = timeoutMs(outlier.baseEjectionTime, 30_000, at(path, "base_ejection_time"), issues);
  return {
    intervalMs: timeoutMs(outlier.interval, 10_000, at(path, "interval"), issues),
    baseEjectionMs,
    maxEjectionMs: Math.max(
      baseEjectionMs,
      timeoutMs(outlier.maxEjectionTime, 300_000, at(path, "max_ejection_time"), issues),
    ),
    maxEjectionPercent: percent(outlier.maxEjectionPercent, 10, at(path, "max_ejection_percent"), issues),
    consecutive5xx: outlier.consecutive5xx ?? 5,
    enforcingConsecutive5xx: percent(
      outlier.enforcingConsecutive5xx,
      100,
      at(path, "enforcing_consecutive_5xx"),
      issues,
    ),
    consecutiveGatewayFailure: outlier.consecutiveGatewayFailure ?? 5,
    enforcingConsecutiveGatewayFailure: percent(
      outlier.enforcingConsecutiveGatewayFailure,
      0,
      at(path, "enforcing_consecutive_gateway_failure"),
      issues,
    ),
    alwaysEjectsOneHost: outlier.alwaysEjectOneHost ?? false,
    splitExternalLocalOriginErrors: outlier.splitExternalLocalOriginErrors,
    consecutiveLocalOriginFailure: outlier.consecutiveLocalOriginFailure ?? 5,
    enforcingConsecutiveLocalOriginFailure: percent(
      outlier.enforcingConsecutiveLocalOriginFailure,
      100,
      at(path, "enforcing_consecutive_local_origin_failure"),
      issues,
    ),
  };
}

function percent(value: number | undefined, fallback: number, path: string, issues: Issues): number {
  if (value !== undefined && value > 100) issues.add(path, `${value} is above 100`);
  return value ?? fallback;
}

function decodeTransports(cluster: Cluster, path: string, context: DecodeContext): readonly TransportPlan[] {
  const plans = cluster.transportSocketMatches.map((match, i): TransportPlan => {
    const place = `${at(path, "transport_socket_matches")}[${i}]`;
    if (!match.transportSocket) context.issues.add(at(place, "transport_socket"), "is missing");
    return {
      match: metadataPairs(match.match),
      tls: decodeUpstreamTls(match.transportSocket, at(place, "transport_socket"), context),
    };
  });
  return [
    ...plans,
    { match: [], tls: decodeUpstreamTls(cluster.transportSocket, at(path, "transport_socket"), context) },
  ];
}

interface ProtocolChoice {
  readonly http2: Http2Plan;
  /** PINGs were asked for. */
  readonly keepsAlive: boolean;
  readonly protocol: ClusterPlan["protocol"];
  readonly maxRequestsPerConnection: number;
  readonly idleTimeoutMs: number;
}

function decodeProtocol(cluster: Cluster, path: string, issues: Issues): ProtocolChoice {
  const place = at(path, "typed_extension_protocol_options");
  let options: HttpProtocolOptions | undefined;
  for (const [name, any] of Object.entries(cluster.typedExtensionProtocolOptions)) {
    const message = unpackAny(any);
    if (name === protocolOptionsKey && message?.$typeName === protocolOptionsKey)
      options = message as HttpProtocolOptions;
    else issues.add(atKey(place, name), "is not implemented by this proxy", `only ${protocolOptionsKey} is`);
  }
  const upstream = options?.upstreamProtocolOptions;
  const common = options?.commonHttpProtocolOptions;
  if (options && !upstream?.case) {
    issues.add(
      atKey(place, protocolOptionsKey),
      "needs `explicit_http_config` or `use_downstream_protocol_config`",
    );
  }
  const explicit = upstream?.case === "explicitHttpConfig" ? upstream.value.protocolConfig.case : undefined;
  if (upstream?.case === "explicitHttpConfig" && !explicit) {
    issues.add(
      at(atKey(place, protocolOptionsKey), "explicit_http_config"),
      "needs `http_protocol_options` or `http2_protocol_options`",
    );
  }
  const isHttp2 = explicit === "http2ProtocolOptions" || cluster.http2ProtocolOptions !== undefined;
  const http2 =
    (upstream?.case === "explicitHttpConfig" && upstream.value.protocolConfig.case === "http2ProtocolOptions"
      ? upstream.value.protocolConfig.value
      : upstream?.case === "useDownstreamProtocolConfig"
        ? upstream.value.http2ProtocolOptions
        : undefined) ?? cluster.http2ProtocolOptions;
  return {
    http2: decodeHttp2(http2, at(path, "http2_protocol_options"), issues),
    keepsAlive: http2?.connectionKeepalive !== undefined,
    protocol: isHttp2 ? "http2" : upstream?.case === "useDownstreamProtocolConfig" ? "downstream" : "http1",
    maxRequestsPerConnection: common?.maxRequestsPerConnection ?? cluster.maxRequestsPerConnection ?? 0,
    idleTimeoutMs: timeoutMs(
      common?.idleTimeout,
      defaultIdleTimeoutMs,
      at(atKey(place, protocolOptionsKey), "common_http_protocol_options.idle_timeout"),
      issues,
    ),
  };
}

/** Where the configuration offers nothing by ALPN, what will be spoken is offered, as Envoy does. */
function offeringHttp2(transport: TransportPlan): TransportPlan {
  const { tls } = transport;
  return tls && tls.alpnProtocols.length === 0
    ? { ...transport, tls: { ...tls, alpnProtocols: ["h2"] } }
    : transport;
}
