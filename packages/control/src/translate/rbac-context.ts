import type { MeshWorkload } from "../model/mesh.ts";
import type { MeshOptions } from "../model/mesh-options.ts";
import type { PortMap } from "./rbac-operation.ts";

/** Whether requests are seen, or connections only. */
export type RbacLevel = "http" | "tcp";

/** What the rules of a workload are seen by. */
export interface RbacContext {
  readonly level: RbacLevel;
  /** From an application's port, as policies name it, to the port the sidecar sees. */
  readonly seenPort: PortMap;
  /** Of the mesh: its trust domain, and the names that mean the same. */
  readonly trustDomains: readonly string[];
  /** False where certificates are let in that nobody verified: no client is anybody there. */
  readonly provesIdentities: boolean;
}

export function rbacContext(
  workload: MeshWorkload,
  level: RbacLevel,
  options: MeshOptions,
  provesIdentities = true,
): RbacContext {
  const listenPorts = new Map(workload.inbound.map((p) => [p.port, p.listenPort]));
  return {
    level,
    seenPort: (port) => listenPorts.get(port) ?? port,
    trustDomains: [options.trustDomain, ...options.trustDomainAliases],
    provesIdentities,
  };
}
