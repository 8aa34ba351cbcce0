import { type ConfigResource, resourceKey } from "@weft/control/config/resource";
import { meshViewOf } from "@weft/control/inspect/mesh-view";
import type { Mesh } from "@weft/control/model/mesh";
import type { MeshReader } from "./mesh-reader.ts";

/** Reads a mesh that is in memory. */
export function writtenReader({
  mesh,
  resources,
}: {
  readonly mesh: Mesh;
  readonly resources: readonly ConfigResource[];
}): MeshReader {
  const view = meshViewOf(mesh);
  const byKey = new Map(resources.map((resource) => [resourceKey(resource), resource]));
  const names = Promise.resolve(view.names);
  return {
    async findWorkloads(by) {
      const workloads = "name" in by ? view.findWorkloads(by.name) : view.workloadsAt(by.address);
      return { workloads, known: view.workloadIds };
    },
    names: () => names,
    resource: async (workloadId, type, name, host) => view.resource(workloadId, type, name, host),
    written: async (kind, namespace, name) => byKey.get(resourceKey({ kind, namespace, name })),
  };
}
