import type { ProxyStatus, WorkloadStatus } from "../api/protocol.ts";
import type { Workload } from "../registry/workload.ts";
import type { WorkloadRegistry } from "../registry/workload-registry.ts";
import type { ProxySync } from "./proxy-sync.ts";

/** How far one connected client is. */
export function proxyStatus(proxy: ProxySync): ProxyStatus {
  const { nodeId, role, workloadId, identity, address, version, dataPlane } = proxy.info;
  return {
    nodeId,
    role,
    workload: workloadId,
    identity,
    address,
    version,
    dataPlane,
    connectedAtMs: proxy.connectedAtMs,
    state: proxy.state,
    ackedRevision: proxy.ackedRevision,
    types: proxy.types,
  };
}

/** One workload, as it registered. */
export function workloadStatus(workload: Workload, registry: WorkloadRegistry): WorkloadStatus {
  const { id, workloadName, namespace, serviceAccount, service, labels, addresses, ports, isHealthy } =
    workload;
  return {
    id,
    workloadName,
    namespace,
    serviceAccount,
    service,
    version: labels.version ?? "",
    addresses,
    ports: ports.map(({ port }) => port),
    isHealthy,
    isConnected: registry.isConnected(id),
    ...(workload.group === undefined ? {} : { group: workload.group }),
  };
}
