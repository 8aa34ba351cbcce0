import type { Egress, EgressView } from "../model/egress.ts";
import type { Mesh, MeshWorkload } from "../model/mesh.ts";
import { type SeenMesh, selectionOf, viewOf } from "../model/view.ts";

/**
 * What the proxies of a mesh get to see of it. Proxies that see the same get
 * the very same view of a mesh; and where a view differs from the one before
 * only in some of its maps, the others are the very same.
 */
export class MeshViews {
  readonly #byMesh = new WeakMap<Mesh, Map<string, View>>();
  readonly #latest = new Map<string, WeakRef<View>>();

  of(mesh: Mesh, workload: MeshWorkload): SeenMesh {
    let views = this.#byMesh.get(mesh);
    if (!views) {
      views = new Map();
      this.#byMesh.set(mesh, views);
    }
    const key = `${workload.namespace} ${workload.scope ?? ""} ${selectionOf(mesh, workload)}`;
    let view = views.get(key);
    if (!view) {
      view = { of: mesh, seen: following(this.#latest.get(key)?.deref(), mesh, workload) };
      views.set(key, view);
      this.#latest.set(key, new WeakRef(view));
    }
    return view.seen;
  }
}

interface View {
  readonly of: Mesh;
  readonly seen: SeenMesh;
}

/** Where nothing but endpoints and workloads has changed, so has what is seen of them. */
function following(last: View | undefined, mesh: Mesh, workload: MeshWorkload): SeenMesh {
  if (last && decisive.every((part) => last.of[part] === mesh[part])) {
    const { of, seen } = last;
    if (seen === of) return mesh;
    if (seen.endpoints === of.endpoints) {
      return { ...seen, endpoints: mesh.endpoints, workloads: mesh.workloads };
    }
  }
  return like(last?.seen, viewOf(mesh, workload));
}

/** What decides which services and routing are seen. */
const decisive = ["services", "routing", "attached", "rules", "scopes", "options"] as const;

/**
 * Compared by their entries alone: what they are made of is the same object
 * where it is equal. Endpoints are left as they are, which are the mesh's own.
 */
function like(before: SeenMesh | undefined, view: SeenMesh): SeenMesh {
  if (!before) return view;
  const services = sameMap(before.services, view.services);
  const routing = sameMap(before.routing, view.routing);
  const attached = sameMap(before.attached, view.attached);
  const egress = sameEgress(before.egress, view.egress);
  return services === view.services &&
    routing === view.routing &&
    attached === view.attached &&
    egress === view.egress
    ? view
    : { ...view, services, routing, attached, ...(egress ? { egress } : {}) };
}

function sameEgress(before: Egress | undefined, after: Egress | undefined): Egress | undefined {
  if (!before || !after || before.listeners.length !== after.listeners.length) return after;
  const services = sameMap(before.services, after.services);
  const listeners = after.listeners.map((view, i) => sameListener(before.listeners[i]!, view));
  const isSame = services === before.services && listeners.every((view, i) => view === before.listeners[i]);
  return isSame ? before : { services, listeners };
}

function sameListener(before: EgressView, after: EgressView): EgressView {
  if (before.listener !== after.listener) return after;
  const known = sameMap(before.known, after.known);
  const services = sameMap(before.services, after.services);
  const routing = sameMap(before.routing, after.routing);
  const isSame = known === before.known && services === before.services && routing === before.routing;
  return isSame && String(before.exceptPorts) === String(after.exceptPorts)
    ? before
    : { ...after, known, services, routing };
}

function sameMap<T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  if (before === after || before.size !== after.size) return after;
  for (const [key, value] of after) if (before.get(key) !== value) return after;
  return before;
}
