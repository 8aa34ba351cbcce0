import { type DataPlane, dataPlaneOf } from "@weft/control/capability/data-plane";
import type { MeshClient } from "@weft/control/capability/find-gaps";
import type { WrittenMesh } from "@weft/control/inspect/written-mesh";
import type { MeshWorkload } from "@weft/control/model/mesh";
import { InvalidArgumentError } from "commander";

/** `reviews=proxyless`: what runs beside a workload that is only written. */
export interface DataPlaneChoice {
  /** A workload's name, deployment or `app` label; `*` for all. */
  readonly workload: string;
  readonly dataPlane: DataPlane;
}

/** @throws InvalidArgumentError unless it is `WORKLOAD=` and `weft`, `proxyless`, `envoy` or `envoy/1.29` */
export function parseDataPlane(text: string): DataPlaneChoice {
  const [, workload, plane] =
    /^([^=]+)=(weft|proxyless|envoy(?:\/\d{1,4}\.\d{1,4}(?:\.\d{1,4})?)?)$/.exec(text) ?? [];
  if (workload === undefined || plane === undefined) {
    throw new InvalidArgumentError(
      "write WORKLOAD=proxyless, WORKLOAD=envoy/1.29 or WORKLOAD=weft; * is every workload",
    );
  }
  return { workload, dataPlane: dataPlaneOf(plane, plane === "proxyless") };
}

/**
 * The data planes of a mesh that is only written: what is chosen, the last of
 * several; else what the pods' annotations ask for; else Weft's sidecar.
 */
export function writtenClients(
  { mesh, proxyless }: Pick<WrittenMesh, "mesh" | "proxyless">,
  choices: readonly DataPlaneChoice[],
): readonly MeshClient[] {
  const own = new Set(proxyless);
  return Array.from(mesh.workloads.values(), (workload) => ({
    workloadId: workload.id,
    dataPlane:
      choices.findLast((choice) => choice.workload === "*" || namesOf(workload).includes(choice.workload))
        ?.dataPlane ?? dataPlaneOf("weft", own.has(workload.id)),
  }));
}

function namesOf({ id, name, workloadName, labels }: MeshWorkload): readonly (string | undefined)[] {
  return [id, name, workloadName, labels.app];
}
