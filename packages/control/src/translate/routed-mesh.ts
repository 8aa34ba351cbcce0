import type { Mesh } from "../model/mesh.ts";

/** The part of a mesh that routes depend on. */
export interface RoutedMesh extends Pick<Mesh, "services" | "routing" | "attached" | "options"> {
  /** What routes may lead to, where that is more than what can be called. */
  readonly known?: Mesh["services"];
  /** Ports that are not for this part. */
  readonly exceptPorts?: readonly number[];
  /** Where hosts are reachable that only a VirtualService names. */
  readonly unknownHostPort?: number;
}
