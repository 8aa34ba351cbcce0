import type { Mesh, MeshWorkload } from "../model/mesh.ts";
import { viewOf } from "../model/view.ts";

/**
 * What the proxies of a mesh get to see of it. Proxies that see the same get
 * the very same view of a mesh; and where a view differs from the one before
 * only in some of its maps, the others are the very same.
 */
export class MeshViews {
  readonly #byMesh = new WeakMap<Mesh, Map<string, Mesh>>();
  readonly #latest = new Map<string, WeakRef<Mesh>>();

  of(mesh: Mesh, { namespace }: MeshWorkload): Mesh {
    let views = this.#byMesh.get(mesh);
    if (!views) {
      views = new Map();
      this.#byMesh.set(mesh, views);
    }
    let view = views.get(namespace);
    if (!view) {
      view = like(this.#latest.get(namespace)?.deref(), viewOf(mesh, namespace));
      views.set(namespace, view);
      this.#latest.set(namespace, new WeakRef(view));
    }
    return view;
  }
}

function like(before: Mesh | undefined, view: Mesh): Mesh {
  if (!before) return view;
  const services = sameMap(before.services, view.services);
  const routing = sameMap(before.routing, view.routing);
  if (services === view.services && routing === view.routing) return view;
  return { ...view, services, routing };
}

function sameMap<T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  if (before === after || before.size !== after.size) return after;
  for (const [key, value] of after) if (before.get(key) !== value) return after;
  return before;
}
