import { formatOrigin } from "@weft/base/origin";
import type { ConfigResource } from "../config/resource.ts";

/** Where something in the mesh was written. */
export interface Provenance {
  /** `/apis/networking.istio.io/v1/namespaces/default/virtual-service/reviews` */
  readonly config: string;
  /** `file:line:column` */
  readonly origin: string;
}

/** Where `path` of a resource was written, under the name Istio gives the resource in xDS metadata. */
export function provenanceOf(resource: ConfigResource, path = "metadata.name"): Provenance {
  const kind = kindInPath(resource.kind);
  const group = resource.apiVersion.includes("/") ? resource.apiVersion.split("/")[0] : undefined;
  const prefix = group ? `/apis/${group}/v1` : "/api/v1";
  return {
    config: `${prefix}/namespaces/${resource.namespace}/${kind}/${resource.name}`,
    origin: formatOrigin(resource.origins.at(path)),
  };
}

/** `VirtualService` as `virtual-service`, `HTTPRoute` as `http-route`. */
export function kindInPath(kind: string): string {
  return kind.replace(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, "-").toLowerCase();
}
