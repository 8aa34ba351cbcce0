import type { PeerFilter, WatchPlan } from "@weft/xds/observed-request";
import type { WorkloadView } from "../api/mesh-protocol.ts";
import type { RequestSelection } from "../api/observe-protocol.ts";
import { ApiRefusal } from "../api/refusal.ts";
import type { MeshView } from "../inspect/mesh-view.ts";

/** Who is meant by a name. */
interface Meant {
  readonly ids: ReadonlySet<string>;
  readonly filter: PeerFilter;
}

/**
 * What the data plane of each workload is to watch so that together they show
 * the requests of a selection. A request is seen at both of its ends.
 *
 * @throws ApiRefusal for a name that means nobody
 */
export function selectRequests(
  selection: RequestSelection,
  view: MeshView,
): (workloadId: string) => WatchPlan | undefined {
  const { direction, pathPrefix, method, statusMin, statusMax } = selection;
  const target = selection.workload === undefined ? undefined : workloadsOf(selection.workload, view);
  const from = selection.from === undefined ? undefined : meant(workloadsOf(selection.from, view), []);
  const to = selection.to === undefined ? undefined : destination(selection.to, view);
  const looked = target && new Set(target.map(({ id }) => id));
  const filters = {
    ...(pathPrefix && { pathPrefix }),
    ...(method && { method }),
    ...(statusMin && { statusMin }),
    ...(statusMax && { statusMax }),
  };
  return (id) => {
    if (looked && !looked.has(id)) return undefined;
    const isInbound = direction !== "outbound" && (!to || to.ids.has(id));
    const isOutbound = direction !== "inbound" && (!from || from.ids.has(id));
    if (!isInbound && !isOutbound) return undefined;
    return {
      ...filters,
      ...(isInbound && { inbound: from?.filter ?? {} }),
      ...(isOutbound && { outbound: to?.filter ?? {} }),
    };
  };
}

function workloadsOf(name: string, view: MeshView): readonly WorkloadView[] {
  const workloads = view.findWorkloads(name);
  if (workloads.length > 0) return workloads;
  const known = view.workloadIds.slice(0, 20);
  throw new ApiRefusal(404, {
    error: `no workload is called ${name}`,
    hint: known.length > 0 ? `one of: ${known.join(", ")}` : "no workload is known",
  });
}

/** A workload or service of the mesh; anything else is a host as callers write it. */
function destination(name: string, view: MeshView): Meant {
  const workloads = view.findWorkloads(name);
  const [short, namespace] = name.split(".", 2);
  const hosts = view.names
    .filter(
      (one) =>
        one.hostname === name ||
        (one.name === short && (namespace === undefined || one.namespace === namespace)),
    )
    .map(({ hostname }) => hostname);
  return workloads.length + hosts.length === 0
    ? { ids: new Set(), filter: { hosts: [name] } }
    : meant(workloads, hosts);
}

function meant(workloads: readonly WorkloadView[], hosts: readonly string[]): Meant {
  const distinct = (names: readonly string[]) => [...new Set(names)];
  return {
    ids: new Set(workloads.map(({ id }) => id)),
    filter: {
      identities: distinct(workloads.map(({ identity }) => identity)),
      workloads: distinct(workloads.map(({ workloadName, namespace }) => `${workloadName}.${namespace}`)),
      addresses: distinct(workloads.flatMap(({ addresses }) => addresses)),
      hosts,
    },
  };
}
