import { type Diagnostic, Diagnostics } from "@weft/base/diagnostics";
import { findCapabilityGaps, type MeshClient } from "../capability/find-gaps.ts";
import type { ConfigResource } from "../config/resource.ts";
import type { Mesh, MeshWorkload } from "../model/mesh.ts";
import { resourcesOf } from "../model/sorting.ts";
import type { AnalyzedMesh, Analyzer } from "./analyzer.ts";
import { findBypassedDenials } from "./bypassed-denials.ts";
import { findConflictingProtocols } from "./conflicting-protocols.ts";
import { findEmptySubsets } from "./empty-subsets.ts";
import { findForeignRoutes } from "./foreign-routes.ts";
import { findIdleCanaries } from "./idle-canaries.ts";
import { findImpossibleSources } from "./impossible-sources.ts";
import { findPlaintext } from "./plaintext.ts";
import { findTlsConflicts } from "./tls-conflicts.ts";
import { findUnknownPorts } from "./unknown-ports.ts";
import { findUnreachedTries } from "./unreached-tries.ts";
import { findUnseenRequests } from "./unseen-requests.ts";
import { findUnservedServices } from "./unserved-services.ts";
import { findUnspecifiedPorts } from "./unspecified-ports.ts";
import { findUnverifiedServers } from "./unverified-servers.ts";
import { findWrongProtocolRules } from "./wrong-protocol-rules.ts";

const analyzers: readonly Analyzer[] = [
  findTlsConflicts,
  findUnverifiedServers,
  findBypassedDenials,
  findUnseenRequests,
  findImpossibleSources,
  findForeignRoutes,
  findPlaintext,
  findWrongProtocolRules,
  findUnknownPorts,
  findUnspecifiedPorts,
  findConflictingProtocols,
  findEmptySubsets,
  findUnreachedTries,
  findIdleCanaries,
  findUnservedServices,
];

/**
 * Everything questionable about a mesh that building it does not say already. Pure.
 *
 * @param clients the data planes that are known; of the others nothing is said
 */
export function analyze(
  mesh: Mesh,
  resources: readonly ConfigResource[],
  clients: Iterable<MeshClient>,
): readonly Diagnostic[] {
  const analyzed = analyzedMesh(mesh, resources);
  const diagnostics = new Diagnostics();
  for (const analyzer of analyzers) analyzer(analyzed, diagnostics);
  return [...diagnostics.all, ...findCapabilityGaps(mesh, clients)];
}

function analyzedMesh(mesh: Mesh, resources: readonly ConfigResource[]): AnalyzedMesh {
  const services = Map.groupBy(mesh.services.values(), ({ hostname }) => hostname);
  const keys = new Map([...mesh.services].map(([key, service]) => [service, key]));
  const workloads = new Map<string, MeshWorkload>();
  for (const workload of mesh.workloads.values()) {
    for (const address of workload.addresses) workloads.set(address, workload);
  }
  return {
    mesh,
    resources: resourcesOf(resources),
    servicesOf: (hostname) => services.get(hostname) ?? [],
    endpointsOf: (service) => mesh.endpoints.get(keys.get(service) ?? "") ?? [],
    workloadOf: ({ address }) => workloads.get(address),
  };
}
