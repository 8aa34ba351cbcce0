import type { MeshName, NamedType, WorkloadViews } from "@weft/control/api/mesh-protocol";
import type { ConfigResource } from "@weft/control/config/resource";

/** A mesh, running or only written, as far as questions about calls need it. */
export interface MeshReader {
  findWorkloads(by: { readonly name: string } | { readonly address: string }): Promise<WorkloadViews>;
  names(): Promise<readonly MeshName[]>;
  /**
   * A resource of the sidecar of a workload, encoded; undefined where there is none of that name.
   *
   * @param host of routes: only those that requests for this host can take
   */
  resource(
    workloadId: string,
    type: NamedType,
    name: string,
    host: string | undefined,
  ): Promise<Uint8Array | undefined>;
  /** A configured resource with the places of all that it says; undefined where there is none. */
  written(kind: string, namespace: string, name: string): Promise<ConfigResource | undefined>;
}
