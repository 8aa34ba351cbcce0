import { SortedMap } from "@weft/base/sorted-map";
import type { Workload } from "../registry/workload.ts";
import { endpointsOf } from "./build-destinations.ts";
import type { ServiceDraft } from "./service-draft.ts";
import { share } from "./share-unchanged.ts";
import { withMembers } from "./with-members.ts";
import type { Followed, WorkloadBasis, WorkloadChange } from "./workload-basis.ts";

/** Of more than this share of all workloads, building everything costs less than following each. */
const maxShare = 1 / 8;
const alwaysFollowed = 32;

/**
 * The mesh after nothing but its workloads has changed: those that came, went
 * or changed, and the endpoints of the services they serve, are made again, and
 * all the rest is the same objects. Costs what has changed, whatever the size
 * of the mesh, and gives what building it anew would give.
 *
 * Undefined where it has to be built anew because more depends on the change:
 * see `withMembers`, and services whose callers choose the endpoint themselves.
 */
export function withWorkloads<B extends WorkloadBasis>(
  basis: B,
  registered: SortedMap<Workload>,
): B | undefined {
  const member = (workload: Workload | undefined) => workload && basis.groups.member(workload);
  const changes = SortedMap.differing(basis.registered, registered).map((id) => ({
    id,
    before: member(basis.registered.get(id)),
    after: member(registered.get(id)),
  }));
  if (changes.length > Math.max(alwaysFollowed, registered.size * maxShare)) return undefined;
  const followed = changes.every(isOfHealthAlone) ? withHealth(basis, changes) : withMembers(basis, changes);
  if (!followed) return undefined;
  const { drafts, workloads, served, touched } = followed;
  const before = basis.mesh.endpoints;
  const endpoints = before.with(
    touched.map((hostname) => {
      const made = endpointsOf(drafts.get(hostname)!, workloads);
      return [hostname, share(before.get(hostname)!, made)] as const;
    }),
  );
  return { ...basis, mesh: { ...basis.mesh, endpoints, workloads }, drafts, served, registered };
}

function isOfHealthAlone({ before, after }: WorkloadChange): boolean {
  if (!before || !after) return false;
  const keys = Object.keys(after) as (keyof Workload)[];
  return keys.every((key) => key === "isHealthy" || after[key] === before[key]);
}

/** What is said of a mesh does not depend on health, nor does anything but endpoints. */
function withHealth(basis: WorkloadBasis, changes: readonly WorkloadChange[]): Followed | undefined {
  const drafts = new Map<string, ServiceDraft>();
  for (const { id, after } of changes) {
    for (const hostname of basis.served.get(id) ?? []) {
      const draft = drafts.get(hostname) ?? basis.drafts.get(hostname)!;
      if (draft.service.isHeadless) return undefined;
      const backends = draft.backends.map((backend) =>
        backend.workload.id === id ? { ...backend, workload: after! } : backend,
      );
      drafts.set(hostname, { ...draft, backends });
    }
  }
  const { workloads } = basis.mesh;
  const { served } = basis;
  return { drafts: basis.drafts.with(drafts), workloads, served, touched: [...drafts.keys()] };
}
