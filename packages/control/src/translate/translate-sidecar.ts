import type { Message } from "@bufbuild/protobuf";
import type { ClusterLoadAssignment } from "@weft/xds/gen/envoy/config/endpoint/v3/endpoint_pb";
import type { Mesh, MeshWorkload } from "../model/mesh.ts";
import { viewOf } from "../model/view.ts";
import { type ClientFeatures, noFeatures } from "./client-features.ts";
import { hostNameParts } from "./names.ts";
import { type PartType, partsOf } from "./part.ts";
import { proxyParts } from "./proxy-parts.ts";

export interface NamedResource {
  readonly name: string;
  readonly message: Message;
}

/** The resources of one proxy by type, each in order of name. */
export type SidecarResources = Readonly<Record<PartType, readonly NamedResource[]>>;

/** Everything a client of `workload` with these features is given, as messages. Pure. */
export function translateSidecar(
  mesh: Mesh,
  workload: MeshWorkload,
  features: ClientFeatures = noFeatures,
): SidecarResources {
  const resources: Record<PartType, NamedResource[]> = {
    listener: [],
    route: [],
    virtualHost: [],
    cluster: [],
    endpoint: [],
    secret: [],
    nameTable: [],
    workloadTemplate: [],
  };
  const { common, own } = proxyParts(viewOf(mesh, workload), workload, features);
  for (const { type, build } of [...partsOf(common), ...own]) {
    for (const message of build()) resources[type].push({ name: resourceName(type, message), message });
  }
  for (const list of Object.values(resources)) list.sort((a, b) => (a.name < b.name ? -1 : 1));
  return resources;
}

/** The name a resource is subscribed to by. There is one name table, and its name is its type's. */
export function resourceName(type: PartType, message: Message): string {
  if (type === "endpoint") return (message as ClusterLoadAssignment).clusterName;
  if (type === "nameTable") return nameTableName;
  if (type === "workloadTemplate") return workloadTemplateName;
  const { name } = message as Message & { name: string };
  if (type !== "virtualHost") return name;
  const { host, port } = hostNameParts(name);
  return `${port}/${host}`;
}

export const workloadTemplateName = "weft.workload.v1.WorkloadTemplate";

export const nameTableName = "istio.networking.nds.v1.NameTable";
