import type { Mesh, MeshWorkload } from "../model/mesh.ts";
import type { ClientFeatures } from "./client-features.ts";
import { proxylessParts } from "./proxyless/proxyless-parts.ts";
import { type SidecarPart, sidecarParts } from "./sidecar-parts.ts";

/** Everything a client of a workload is given, in the form that it takes. */
export function proxyParts(mesh: Mesh, workload: MeshWorkload, features: ClientFeatures): SidecarPart[] {
  return features.isProxyless ? proxylessParts(mesh, workload) : sidecarParts(mesh, workload, features);
}
