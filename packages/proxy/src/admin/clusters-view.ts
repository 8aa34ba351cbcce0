import type { UpstreamCluster } from "../cluster/upstream-cluster.ts";
import type { UpstreamEndpoint } from "../cluster/upstream-endpoint.ts";

export interface ShownCluster {
  readonly cluster: UpstreamCluster;
  /** Whether xDS brought it, rather than the bootstrap. */
  readonly isDynamic: boolean;
}

/** Envoy's `/clusters` as text: one fact on a line. */
export function clustersText(clusters: Iterable<ShownCluster>): string {
  const lines: string[] = [];
  for (const { cluster, isDynamic } of clusters) {
    const { name, plan } = cluster;
    lines.push(`${name}::observability_name::${plan.statName}`);
    for (const priority of ["default", "high"] as const) {
      const limits = plan.breakers[priority];
      lines.push(
        `${name}::${priority}_priority::max_connections::${limits.maxConnections}`,
        `${name}::${priority}_priority::max_pending_requests::${limits.maxPendingRequests}`,
        `${name}::${priority}_priority::max_requests::${limits.maxRequests}`,
        `${name}::${priority}_priority::max_retries::${limits.maxRetries}`,
      );
    }
    lines.push(`${name}::added_via_api::${isDynamic}`);
    for (const endpoint of cluster.endpoints) {
      const at = `${name}::${endpoint.addressText}`;
      lines.push(
        `${at}::rq_active::${endpoint.activeRequests}`,
        `${at}::hostname::${endpoint.plan.hostname}`,
        `${at}::health_flags::${healthFlags(endpoint)}`,
        `${at}::weight::${endpoint.plan.weight}`,
        `${at}::success_rate::${shownRate(endpoint.outlier.externalRate)}`,
        `${at}::local_origin_success_rate::${shownRate(endpoint.outlier.localRate)}`,
      );
    }
  }
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

/** Envoy's `/clusters?format=json`. @see envoy.admin.v3.Clusters */
export function clustersJson(clusters: Iterable<ShownCluster>): unknown {
  return {
    cluster_statuses: Array.from(clusters, ({ cluster, isDynamic }) => ({
      name: cluster.name,
      observability_name: cluster.plan.statName,
      added_via_api: isDynamic,
      host_statuses: Array.from(cluster.endpoints, (endpoint) => ({
        address:
          endpoint.address.kind === "pipe"
            ? { pipe: { path: endpoint.address.path } }
            : { socket_address: { address: endpoint.address.host, port_value: endpoint.address.port } },
        stats: [{ type: "GAUGE", name: "rq_active", value: String(endpoint.activeRequests) }],
        health_status: {
          eds_health_status: edsHealth[endpoint.plan.health],
          ...(endpoint.activeHealth.isFailed ? { failed_active_health_check: true } : {}),
          ...(endpoint.outlier.isEjected ? { failed_outlier_check: true } : {}),
          ...(endpoint.activeHealth.isDegraded ? { failed_active_degraded_check: true } : {}),
          ...(endpoint.isPendingRemoval ? { pending_dynamic_removal: true } : {}),
          ...(endpoint.activeHealth.isPending ? { pending_active_hc: true } : {}),
          ...(endpoint.activeHealth.isExcluded ? { excluded_via_immediate_hc_fail: true } : {}),
          ...(endpoint.activeHealth.isTimedOut ? { active_hc_timeout: true } : {}),
        },
        weight: endpoint.plan.weight,
        hostname: endpoint.plan.hostname,
      })),
    })),
  };
}

const edsHealth = {
  healthy: "HEALTHY",
  degraded: "DEGRADED",
  draining: "DRAINING",
  unhealthy: "UNHEALTHY",
} as const;

/** As Envoy prints a double. */
function shownRate(percent: number): string {
  return String(Number(percent.toPrecision(6)));
}

/** In the order in which Envoy writes them. */
function healthFlags({ outlier, plan, activeHealth, isPendingRemoval }: UpstreamEndpoint): string {
  const flags = [
    ...(activeHealth.isFailed ? ["/failed_active_hc"] : []),
    ...(outlier.isEjected ? ["/failed_outlier_check"] : []),
    ...(plan.health === "unhealthy" ? ["/failed_eds_health"] : []),
    ...(activeHealth.isDegraded ? ["/degraded_active_hc"] : []),
    ...(plan.health === "degraded" ? ["/degraded_eds_health"] : []),
    ...(isPendingRemoval ? ["/pending_dynamic_removal"] : []),
    ...(activeHealth.isPending ? ["/pending_active_hc"] : []),
    ...(activeHealth.isExcluded ? ["/excluded_via_immediate_hc_fail"] : []),
    ...(activeHealth.isTimedOut ? ["/active_hc_timeout"] : []),
    ...(plan.health === "draining" ? ["/eds_status_draining"] : []),
  ];
  return flags.join("") || "healthy";
}
