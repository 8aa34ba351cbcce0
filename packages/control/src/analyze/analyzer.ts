import type { Diagnostics } from "@weft/base/diagnostics";
import type { Endpoint } from "../model/endpoint.ts";
import type { Mesh, MeshWorkload } from "../model/mesh.ts";
import type { Service } from "../model/service.ts";
import type { ResourcesByKind } from "../model/sorting.ts";

/** A mesh, and what it was made from. */
export interface AnalyzedMesh {
  readonly mesh: Mesh;
  readonly resources: ResourcesByKind;
  /** The services of a hostname, as any namespace sees them. */
  servicesOf(hostname: string): readonly Service[];
  endpointsOf(service: Service): readonly Endpoint[];
  /** The workload at an endpoint's address; undefined outside the mesh. */
  workloadOf(endpoint: Endpoint): MeshWorkload | undefined;
}

/**
 * Looks for one kind of mistake, which can be made although every document is
 * valid. Each finding has its place and says what to do. Pure.
 */
export type Analyzer = (analyzed: AnalyzedMesh, diagnostics: Diagnostics) => void;
