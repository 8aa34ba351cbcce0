import type { Message } from "@bufbuild/protobuf";
import type { Mesh, MeshWorkload } from "../model/mesh.ts";
import { type SeenMesh, viewOf } from "../model/view.ts";
import type { ClientFeatures } from "./client-features.ts";
import { abilitiesOf } from "./credentials.ts";
import type { PartType, SidecarPart } from "./part.ts";
import { proxyParts } from "./proxy-parts.ts";
import { serviceParts } from "./sidecar-parts.ts";
import { resourceName } from "./translate-sidecar.ts";

/**
 * One resource of what a client of `workload` is given, without making the
 * others; undefined where it is given none of that name. Pure.
 */
export function translateNamed(
  mesh: Mesh,
  workload: MeshWorkload,
  features: ClientFeatures,
  type: PartType,
  name: string,
): Message | undefined {
  for (const part of candidates(viewOf(mesh, workload), workload, features, type, name)) {
    if (part.type !== type) continue;
    const found = part.build().find((message) => resourceName(type, message) === name);
    if (found) return found;
  }
  return undefined;
}

/** The parts that may hold it: of thousands of services, the one that the name is of. */
function candidates(
  mesh: SeenMesh,
  workload: MeshWorkload,
  features: ClientFeatures,
  type: PartType,
  name: string,
): readonly SidecarPart[] {
  const parts = proxyParts(mesh, workload, features);
  const hostname = /^outbound\|\d+\|[^|]*\|(.+)$/.exec(name)?.[1];
  if ((type === "cluster" || type === "endpoint") && hostname !== undefined && !features.isProxyless) {
    const service = mesh.services.get(hostname);
    return service ? serviceParts(service, mesh, abilitiesOf(workload, mesh, features)) : [];
  }
  const all = [...parts.own, ...parts.common()];
  return type === "route"
    ? all.filter(({ id }) => !id.startsWith("routes-") || id === `routes-${name}`)
    : all;
}
