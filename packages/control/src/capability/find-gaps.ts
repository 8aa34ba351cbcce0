import { type Diagnostic, Diagnostics } from "@weft/base/diagnostics";
import type { Origin } from "@weft/base/origin";
import { meshKinds } from "../config/kinds.ts";
import type { Mesh, MeshWorkload } from "../model/mesh.ts";
import type { Provenance } from "../model/provenance.ts";
import { kindInPath } from "../model/provenance.ts";
import { viewOf } from "../model/view.ts";
import type { Asked } from "./asked.ts";
import { askedOfCaller } from "./asked-of-callers.ts";
import { askedOfServer } from "./asked-of-servers.ts";
import { capabilities, type Effect, effectOn } from "./capabilities.ts";
import { type DataPlane, dataPlaneName } from "./data-plane.ts";

/** An xDS client: what a workload's calls leave by, and arrive at. */
export interface MeshClient {
  readonly workloadId: string;
  readonly dataPlane: DataPlane;
}

/**
 * What the mesh asks of its data planes and they do not do, said before it
 * bites: "reviews…: 2 proxyless clients ignore the rewrite of VirtualService
 * default/reviews", with the place where it is written. Each client is asked
 * for what it sees and calls, and for what its workload's policies say. Pure.
 */
export function findCapabilityGaps(mesh: Mesh, clients: Iterable<MeshClient>): readonly Diagnostic[] {
  const gaps = new Map<string, Gap>();
  for (const { workload, dataPlane, ids } of alike(mesh, clients)) {
    for (const asked of askedOfCaller(viewOf(mesh, workload), workload)) {
      note(gaps, asked, dataPlane, ids, "client");
    }
    for (const id of ids) {
      for (const asked of askedOfServer(mesh.workloads.get(id)!)) {
        note(gaps, asked, dataPlane, [id], "server");
      }
    }
  }
  const found = new Diagnostics();
  for (const gap of gaps.values()) {
    const code = gap.role === "client" ? "W2201" : "W2202";
    const hint = gap.dataPlane.kind === "grpc" ? "give it a sidecar, or leave it out" : "run a newer one";
    found.warning(code, originOf(gap.asked.source), sentence(gap), hint);
  }
  return found.all;
}

/** Workloads that see the same, call alike, and do it by the same kind of data plane. */
interface Alike {
  readonly workload: MeshWorkload;
  readonly dataPlane: DataPlane;
  readonly ids: Set<string>;
}

/** Without those whose data plane does everything. */
function alike(mesh: Mesh, clients: Iterable<MeshClient>): Iterable<Alike> {
  const groups = new Map<string, Alike>();
  for (const { workloadId, dataPlane } of clients) {
    const workload = mesh.workloads.get(workloadId);
    if (!workload || dataPlane.kind === "weft") continue;
    const { namespace, scope = "", labels } = workload;
    const key = JSON.stringify([dataPlaneName(dataPlane), namespace, scope, Object.entries(labels).sort()]);
    const group = groups.get(key) ?? { workload, dataPlane, ids: new Set<string>() };
    group.ids.add(workloadId);
    groups.set(key, group);
  }
  return groups.values();
}

interface Gap {
  readonly asked: Asked;
  readonly dataPlane: DataPlane;
  readonly effect: Effect;
  readonly role: "client" | "server";
  readonly ids: Set<string>;
}

function note(
  gaps: Map<string, Gap>,
  asked: Asked,
  dataPlane: DataPlane,
  ids: Iterable<string>,
  role: Gap["role"],
): void {
  const effect = effectOn(asked.capability, dataPlane);
  if (!effect) return;
  const key = [dataPlaneName(dataPlane), asked.capability, asked.where, asked.source?.origin].join(" ");
  const gap = gaps.get(key) ?? { asked, dataPlane, effect, role, ids: new Set<string>() };
  for (const id of ids) gap.ids.add(id);
  gaps.set(key, gap);
}

function sentence({ asked, dataPlane, effect, role, ids }: Gap): string {
  const { what } = capabilities[asked.capability];
  const of = asked.source ? ` of ${resourceName(asked.source)}` : "";
  const name = dataPlaneName(dataPlane);
  const who =
    role === "client"
      ? `${ids.size} ${name} ${ids.size === 1 ? "client" : "clients"}`
      : `its ${name} data plane`;
  return `${asked.where}: ${who} ${verbs[effect][ids.size === 1 ? 0 : 1]} ${what}${of}`;
}

const verbs: Readonly<Record<Effect, readonly [one: string, several: string]>> = {
  ignores: ["ignores", "ignore"],
  fails: ["fails calls by", "fail calls by"],
  refuses: ["refuses", "refuse"],
};

/** `VirtualService default/reviews`. */
function resourceName({ config }: Provenance): string {
  const [name = "", path = "", namespace = ""] = config.split("/").reverse();
  const kind = meshKinds.find((one) => kindInPath(one) === path) ?? path;
  return `${kind} ${namespace}/${name}`;
}

/** From `file:line:column`. */
function originOf(source: Provenance | undefined): Origin | undefined {
  const match = /^(.*):(\d+):(\d+)$/.exec(source?.origin ?? "");
  return match ? { file: match[1]!, line: Number(match[2]), column: Number(match[3]) } : undefined;
}
