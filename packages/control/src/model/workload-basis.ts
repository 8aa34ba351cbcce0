import { isSameList } from "@weft/base/same-list";
import { SortedMap } from "@weft/base/sorted-map";
import type { Workload } from "../registry/workload.ts";
import type { MeshGround } from "./build-mesh.ts";
import type { Mesh, MeshWorkload } from "./mesh.ts";
import type { ServiceDraft } from "./service-draft.ts";
import type { ServiceSelectors } from "./service-selectors.ts";

/** A mesh with what it was made from, as far as workloads have a part in it. */
export interface WorkloadBasis
  extends Pick<
    MeshGround,
    "drafts" | "vips" | "resources" | "mtls" | "policies" | "sidecars" | "groups" | "ruleIndex"
  > {
  readonly mesh: Mesh;
  readonly registered: SortedMap<Workload>;
  readonly selectors: ServiceSelectors;
  /** Hostnames of the services each workload serves, by its id; in order. */
  readonly served: SortedMap<readonly string[]>;
}

/** One workload before and after; undefined where it is not there. */
export interface WorkloadChange {
  readonly id: string;
  readonly before: Workload | undefined;
  readonly after: Workload | undefined;
}

/** What follows from changes of workloads for all but the endpoints. */
export interface Followed {
  readonly drafts: SortedMap<ServiceDraft>;
  readonly workloads: SortedMap<MeshWorkload>;
  readonly served: SortedMap<readonly string[]>;
  /** Hostnames of services whose endpoints may differ. */
  readonly touched: readonly string[];
}

/** Which services each workload serves; shares with `before` what is the same there. */
export function servedBy(
  drafts: ReadonlyMap<string, ServiceDraft>,
  before?: SortedMap<readonly string[]>,
): SortedMap<readonly string[]> {
  const served = new Map<string, string[]>();
  for (const [hostname, { backends }] of drafts) {
    for (const { workload } of backends) {
      const list = served.get(workload.id);
      if (list) list.push(hostname);
      else served.set(workload.id, [hostname]);
    }
  }
  if (!before) return SortedMap.from(served);
  const kept = new Map<string, readonly string[]>();
  for (const [id, list] of served) {
    const old = before.get(id);
    kept.set(id, old && isSameList(old, list) ? old : list);
  }
  return SortedMap.like(before, kept);
}
