import {
  type Cluster,
  Cluster_DnsLookupFamily as Family,
  Cluster_DiscoveryType as Type,
} from "@weft/xds/gen/envoy/config/cluster/v3/cluster_pb";
import type { ClusterConfig } from "@weft/xds/gen/envoy/extensions/clusters/aggregate/v3/cluster_pb";
import { DnsLookupFamily } from "@weft/xds/gen/envoy/extensions/clusters/common/dns/v3/dns_pb";
import type { DnsCluster } from "@weft/xds/gen/envoy/extensions/clusters/dns/v3/dns_cluster_pb";
import type { Discovery, DnsFamily, DnsPlan } from "../cluster/cluster-plan.ts";
import { decodeConfigSource } from "./config-source.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeEndpoints, decodePolicy } from "./decode-endpoints.ts";
import { timeoutMs } from "./decode-values.ts";
import { unpackAny } from "./extension-registry.ts";
import { at, type Issues } from "./issues.ts";

/** Decodes where a cluster's endpoints come from: `type` or `cluster_type`. */
export function decodeDiscovery(cluster: Cluster, path: string, context: DecodeContext): Discovery {
  const type = cluster.clusterDiscoveryType;
  if (type.case === "clusterType") return decodeCustom(cluster, type.value.typedConfig, path, context);
  const kind = type.case === "type" ? type.value : Type.STATIC;
  switch (kind) {
    case Type.EDS: {
      const { edsConfig, serviceName } = cluster.edsClusterConfig ?? {};
      const chosen = decodeConfigSource(edsConfig, at(path, "eds_cluster_config.eds_config"), context);
      if (chosen) context.needs.fetchTimeoutsMs.add(chosen.fetchTimeoutMs);
      return { kind: "eds", serviceName: serviceName || cluster.name, source: chosen?.source ?? "ads" };
    }
    case Type.ORIGINAL_DST:
      return { kind: "original-dst" };
    case Type.STRICT_DNS:
    case Type.LOGICAL_DNS:
      return decodeDns(
        cluster,
        { ...cluster, family: families[cluster.dnsLookupFamily], isLogical: kind === Type.LOGICAL_DNS },
        path,
        path,
        context,
      );
    default: {
      const { endpoints, policy } = decodeAssigned(cluster, false, path, context.issues);
      return { kind: "static", endpoints, policy };
    }
  }
}

function decodeCustom(
  cluster: Cluster,
  any: Parameters<typeof unpackAny>[0] | undefined,
  path: string,
  context: DecodeContext,
): Discovery {
  const { issues } = context;
  const place = at(path, "cluster_type.typed_config");
  const message = any && unpackAny(any);
  switch (message?.$typeName) {
    case "envoy.extensions.clusters.aggregate.v3.ClusterConfig": {
      const { clusters } = message as ClusterConfig;
      if (clusters.length === 0) issues.add(at(place, "clusters"), "is empty", "list at least one cluster");
      return { kind: "aggregate", clusters };
    }
    case "envoy.extensions.clusters.dns.v3.DnsCluster": {
      const dns = message as DnsCluster;
      const isLogical = dns.allAddressesInSingleEndpoint;
      const family = typedFamilies[dns.dnsLookupFamily];
      return decodeDns(cluster, { ...dns, family, isLogical }, path, place, context);
    }
    default:
      issues.add(
        at(path, "cluster_type"),
        "is not a kind of cluster this proxy implements",
        "use `envoy.clusters.aggregate` or `envoy.cluster.dns`",
      );
      return { kind: "static", endpoints: [] };
  }
}

type DnsSettings = Pick<DnsCluster, "dnsRefreshRate" | "dnsJitter" | "respectDnsTtl"> & {
  readonly dnsFailureRefreshRate?: Pick<
    NonNullable<DnsCluster["dnsFailureRefreshRate"]>,
    "baseInterval" | "maxInterval"
  >;
  readonly family: DnsFamily;
  readonly isLogical: boolean;
};

/** The settings stand beside the assignment or in a message of their own, at `place`. */
function decodeDns(
  cluster: Cluster,
  settings: DnsSettings,
  path: string,
  place: string,
  { issues }: DecodeContext,
): DnsPlan {
  const { endpoints, policy } = decodeAssigned(cluster, true, path, issues);
  const count = endpoints.reduce((sum, locality) => sum + locality.endpoints.length, 0);
  if (settings.isLogical && count !== 1) {
    issues.add(at(path, "load_assignment"), `a LOGICAL_DNS cluster has one endpoint, not ${count}`);
  }
  const refreshMs = timeoutMs(settings.dnsRefreshRate, 5_000, at(place, "dns_refresh_rate"), issues);
  const failure = settings.dnsFailureRefreshRate;
  const failurePath = at(place, "dns_failure_refresh_rate");
  const baseMs = timeoutMs(failure?.baseInterval, 0, at(failurePath, "base_interval"), issues);
  const maxMs = timeoutMs(failure?.maxInterval, baseMs * 10, at(failurePath, "max_interval"), issues);
  if (failure && baseMs === 0) issues.add(at(failurePath, "base_interval"), "is a duration above 0");
  if (maxMs < baseMs) issues.add(at(failurePath, "max_interval"), "is below `base_interval`");
  return {
    kind: settings.isLogical ? "logical-dns" : "strict-dns",
    endpoints,
    policy,
    family: settings.family,
    refreshMs: refreshMs || 5_000,
    jitterMs: timeoutMs(settings.dnsJitter, 0, at(place, "dns_jitter"), issues),
    respectsTtl: settings.respectDnsTtl,
    failureBackoff: failure && { baseMs, maxMs },
  };
}

function decodeAssigned(cluster: Cluster, resolves: boolean, path: string, issues: Issues) {
  const { loadAssignment } = cluster;
  const place = at(path, "load_assignment");
  if (!loadAssignment) issues.add(place, "is missing", "list the endpoints");
  return {
    endpoints: loadAssignment ? decodeEndpoints(loadAssignment, resolves, place, issues) : [],
    policy: decodePolicy(loadAssignment?.policy),
  };
}

const families: Readonly<Record<Family, DnsFamily>> = {
  [Family.AUTO]: "auto",
  [Family.V4_ONLY]: "v4-only",
  [Family.V6_ONLY]: "v6-only",
  [Family.V4_PREFERRED]: "v4-preferred",
  [Family.ALL]: "all",
};

const typedFamilies: Readonly<Record<DnsLookupFamily, DnsFamily>> = {
  [DnsLookupFamily.UNSPECIFIED]: "auto",
  [DnsLookupFamily.AUTO]: "auto",
  [DnsLookupFamily.V4_ONLY]: "v4-only",
  [DnsLookupFamily.V6_ONLY]: "v6-only",
  [DnsLookupFamily.V4_PREFERRED]: "v4-preferred",
  [DnsLookupFamily.ALL]: "all",
};
