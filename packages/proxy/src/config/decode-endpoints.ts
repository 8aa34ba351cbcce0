import { isIP } from "node:net";
import type { Metadata } from "@weft/xds/gen/envoy/config/core/v3/base_pb";
import { HealthStatus } from "@weft/xds/gen/envoy/config/core/v3/health_check_pb";
import type {
  Endpoint,
  Endpoint_HealthCheckConfig,
  LbEndpoint,
} from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_components_pb";
import type {
  ClusterLoadAssignment,
  ClusterLoadAssignment_Policy,
} from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_pb";
import type {
  AssignmentPolicy,
  EndpointAssignment,
  EndpointPlan,
  HealthCheckConfig,
  LocalityEndpoints,
} from "../cluster/cluster-plan.ts";
import { decodeAddress, metadataPairs } from "./decode-values.ts";
import { at, type Issues } from "./issues.ts";

const health: Readonly<Record<HealthStatus, EndpointPlan["health"]>> = {
  [HealthStatus.UNKNOWN]: "healthy",
  [HealthStatus.HEALTHY]: "healthy",
  [HealthStatus.UNHEALTHY]: "unhealthy",
  [HealthStatus.DRAINING]: "draining",
  [HealthStatus.TIMEOUT]: "unhealthy",
  [HealthStatus.DEGRADED]: "degraded",
};

/** Each is tried for up to 300 ms before the next. */
const maxOthers = 16;

const noMetadata: EndpointPlan["metadata"] = new Map();

/** Decodes what EDS delivers. */
export function decodeAssignment(
  assignment: ClusterLoadAssignment,
  path: string,
  issues: Issues,
): EndpointAssignment {
  return {
    localities: decodeEndpoints(assignment, false, path, issues),
    policy: decodePolicy(assignment.policy),
  };
}

export function decodePolicy(policy: ClusterLoadAssignment_Policy | undefined): AssignmentPolicy {
  return {
    overprovisioningPercent: policy?.overprovisioningFactor,
    weighsPriorityHealth: policy?.weightedPriorityHealth ?? false,
  };
}

/** `resolves` says whether host names may stand where addresses do (DNS clusters). */
export function decodeEndpoints(
  assignment: ClusterLoadAssignment,
  resolves: boolean,
  path: string,
  issues: Issues,
): readonly LocalityEndpoints[] {
  return assignment.endpoints.map((locality, i) => {
    const place = `${at(path, "endpoints")}[${i}]`;
    if (locality.priority > 128) issues.add(at(place, "priority"), `${locality.priority} is above 128`);
    return {
      region: locality.locality?.region ?? "",
      zone: locality.locality?.zone ?? "",
      subZone: locality.locality?.subZone ?? "",
      priority: locality.priority,
      weight: locality.loadBalancingWeight ?? 0,
      endpoints: locality.lbEndpoints.flatMap(
        (endpoint, j) =>
          decodeEndpoint(endpoint, resolves, `${at(place, "lb_endpoints")}[${j}]`, issues) ?? [],
      ),
    };
  });
}

function decodeEndpoint(
  endpoint: LbEndpoint,
  resolves: boolean,
  path: string,
  issues: Issues,
): EndpointPlan | undefined {
  const host = endpoint.hostIdentifier;
  if (host.case !== "endpoint") {
    issues.add(path, "needs `endpoint`");
    return undefined;
  }
  const place = at(path, "endpoint.address");
  const address = decodeAddress(host.value.address, place, issues);
  if (!address) return undefined;
  if (address.kind === "ip" && !resolves && isIP(address.host) === 0) {
    issues.add(
      at(place, "socket_address.address"),
      `${JSON.stringify(address.host)} is not an IP address`,
      "use a STRICT_DNS or LOGICAL_DNS cluster for host names",
    );
  }
  return {
    address,
    ...decodeOthers(host.value, resolves, at(path, "endpoint"), issues),
    hostname: host.value.hostname || (address.kind === "ip" && isIP(address.host) === 0 ? address.host : ""),
    weight: endpoint.loadBalancingWeight ?? 1,
    health: health[endpoint.healthStatus],
    metadata: decodeMetadata(endpoint.metadata),
    lbLists: decodeLists(endpoint.metadata),
    healthCheck: decodeHealthCheckConfig(
      host.value.healthCheckConfig,
      at(path, "endpoint.health_check_config"),
      issues,
    ),
  };
}

/** Beside the first, which must be an IP address as they are. */
function decodeOthers(
  { address, additionalAddresses }: Endpoint,
  resolves: boolean,
  path: string,
  issues: Issues,
): Pick<EndpointPlan, "otherAddresses"> {
  if (additionalAddresses.length === 0) return {};
  const place = at(path, "additional_addresses");
  if (resolves) {
    issues.add(place, "has no meaning where DNS says the addresses", "use a STATIC or an EDS cluster");
  }
  if (additionalAddresses.length > maxOthers) issues.add(place, `has more than ${maxOthers} addresses`);
  if (address?.address.case === "pipe") issues.add(place, "cannot stand beside a Unix socket", "remove it");
  const otherAddresses = additionalAddresses.flatMap((extra, i) => {
    const own = `${place}[${i}].address`;
    const other = decodeAddress(extra.address, own, issues);
    if (other && (other.kind !== "ip" || isIP(other.host) === 0)) issues.add(own, "is not an IP address");
    return other ?? [];
  });
  return { otherAddresses };
}

function decodeMetadata(metadata: Metadata | undefined): EndpointPlan["metadata"] {
  const entries = Object.entries(metadata?.filterMetadata ?? {});
  if (entries.length === 0) return noMetadata;
  return new Map(entries.map(([filter, values]) => [filter, new Map(metadataPairs(values))]));
}

function decodeLists(metadata: Metadata | undefined): EndpointPlan["lbLists"] {
  const lists = Object.entries(metadata?.filterMetadata["envoy.lb"] ?? {}).flatMap(([key, value]) =>
    Array.isArray(value)
      ? [[key, value.filter((item) => typeof item !== "object").map(String)] as const]
      : [],
  );
  return lists.length === 0 ? undefined : new Map(lists);
}

function decodeHealthCheckConfig(
  config: Endpoint_HealthCheckConfig | undefined,
  path: string,
  issues: Issues,
): HealthCheckConfig | undefined {
  if (!config) return undefined;
  if (config.portValue > 65_535) issues.add(at(path, "port_value"), `${config.portValue} is not a port`);
  const address = config.address && decodeAddress(config.address, at(path, "address"), issues);
  if (address?.kind === "ip" && isIP(address.host) === 0) {
    issues.add(at(path, "address"), `${JSON.stringify(address.host)} is not an IP address`);
  }
  return {
    address,
    port: config.portValue || undefined,
    hostname: config.hostname,
    isDisabled: config.disableActiveHealthCheck,
  };
}
