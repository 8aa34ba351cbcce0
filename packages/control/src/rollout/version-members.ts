import { canonicalRevision } from "../model/canonical-name.ts";
import { hasLabels } from "../model/host.ts";
import type { Mesh } from "../model/mesh.ts";
import type { Workload } from "../registry/workload.ts";
import type { MeteredVersions, VersionMembers } from "./call-meter.ts";
import type { RolloutPlan, VersionRef } from "./rollout.ts";

/** Which workloads the two versions have now, and how callers name what they call. */
export function membersOf(
  { hostname, stable, canary }: Pick<RolloutPlan, "hostname" | "stable" | "canary">,
  mesh: Pick<Mesh, "services">,
  workloads: ReadonlyMap<string, Workload>,
  served: ReadonlyMap<string, readonly string[]>,
): MeteredVersions {
  const of = (version: VersionRef): VersionMembers => {
    const subset = mesh.services.get(version.hostname)?.subsets.find(({ name }) => name === version.subset);
    if (version.subset !== undefined && !subset) return nobody;
    const members = [...workloads.values()].filter(
      ({ id, labels }) => served.get(id)?.includes(version.hostname) && hasLabels(labels, subset?.labels),
    );
    return {
      workloads: new Set(members.map(({ id }) => id)),
      revisions: new Set(members.map(({ labels }) => canonicalRevision(labels))),
      healthy: members.filter(({ isHealthy }) => isHealthy).length,
    };
  };
  const hostnames = new Set([hostname, stable.hostname, canary.hostname]);
  return { hostnames, stable: of(stable), canary: of(canary) };
}

/** The subset is no longer there. */
const nobody: VersionMembers = { workloads: new Set(), revisions: new Set(), healthy: 0 };
