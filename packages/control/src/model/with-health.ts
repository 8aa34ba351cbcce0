import type { Workload } from "../registry/workload.ts";
import { endpointsOf } from "./build-destinations.ts";
import type { ServiceDraft } from "./build-services.ts";
import type { Mesh } from "./mesh.ts";

/** A mesh with what its endpoints were made from. */
export interface HealthBasis {
  readonly mesh: Mesh;
  readonly drafts: ReadonlyMap<string, ServiceDraft>;
  /** Hostnames of the services each workload serves, by its id. */
  readonly served: ReadonlyMap<string, readonly string[]>;
}

/**
 * The mesh after nothing but the health of these workloads has changed: their
 * services get new endpoints, and all the rest is the same objects. What is
 * said of the mesh does not depend on health. Undefined where more depends on
 * it: a service whose callers choose the endpoint themselves.
 */
export function withHealth<B extends HealthBasis>(basis: B, changed: readonly Workload[]): B | undefined {
  const drafts = new Map(basis.drafts);
  const endpoints = new Map(basis.mesh.endpoints);
  const touched = new Set<string>();
  for (const workload of changed) {
    for (const hostname of basis.served.get(workload.id) ?? []) {
      const draft = drafts.get(hostname)!;
      if (draft.service.isHeadless) return undefined;
      const backends = draft.backends.map((backend) =>
        backend.workload.id === workload.id ? { ...backend, workload } : backend,
      );
      drafts.set(hostname, { ...draft, backends });
      touched.add(hostname);
    }
  }
  for (const hostname of touched) {
    endpoints.set(hostname, endpointsOf(drafts.get(hostname)!, basis.mesh.workloads));
  }
  return { ...basis, mesh: { ...basis.mesh, endpoints }, drafts };
}

/** Which services each workload serves. */
export function servedBy(drafts: ReadonlyMap<string, ServiceDraft>): ReadonlyMap<string, readonly string[]> {
  const served = new Map<string, string[]>();
  for (const [hostname, { backends }] of drafts) {
    for (const { workload } of backends) {
      const list = served.get(workload.id);
      if (list) list.push(hostname);
      else served.set(workload.id, [hostname]);
    }
  }
  return served;
}
