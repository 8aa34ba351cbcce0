import type { Message } from "@bufbuild/protobuf";
import type { RouteConfiguration } from "@weft/xds/gen/envoy/config/route/v3/route_pb";
import type { MeshName, WorkloadView } from "../api/mesh-protocol.ts";
import { addressesOf } from "../model/endpoint.ts";
import type { Mesh, MeshWorkload } from "../model/mesh.ts";
import { encode } from "../snapshot/encode.ts";
import { MeshViews } from "../snapshot/mesh-views.ts";
import { type ClientFeatures, sidecarFeatures } from "../translate/client-features.ts";
import { NamedResources } from "../translate/named-resources.ts";
import type { PartType } from "../translate/part.ts";
import { routesForHost } from "../translate/routes-for-host.ts";

/** At most so many answers are kept. */
const maxMade = 4096;

/** At most this many workloads answer a question about them. */
const maxFound = 200;

/**
 * A mesh as those see it who ask what would happen in it: who is there, what
 * names mean, and any resource of any workload's sidecar, made when asked for.
 */
export class MeshView {
  readonly #mesh: Mesh;
  readonly #resources: NamedResources;
  readonly #views = new MeshViews();
  readonly #made = new Map<string, Uint8Array | undefined>();
  /** By what they were encoded from, which many workloads may have in common. */
  readonly #bodies = new WeakMap<Message, Uint8Array>();

  constructor(mesh: Mesh, features: ClientFeatures = sidecarFeatures) {
    this.#mesh = mesh;
    this.#resources = new NamedResources(features);
  }

  /**
   * The workloads that a name means: that of this id, else those of this
   * deployment or service or `app`, else those whose id begins with it. Of
   * several namespaces, say which: `reviews.prod`.
   */
  findWorkloads(name: string): readonly WorkloadView[] {
    const all = [...this.#mesh.workloads.values()];
    const one = this.#mesh.workloads.get(name);
    const [short = name, namespace] = splitName(name);
    const isThere = (workload: MeshWorkload) => namespace === undefined || workload.namespace === namespace;
    const named = () => all.filter((w) => isThere(w) && namesOf(w).includes(short));
    const begun = () => all.filter(({ id }) => id.startsWith(name));
    const found = one ? [one] : [named(), begun()].find((list) => list.length > 0);
    return (found ?? []).slice(0, maxFound).map(viewOf);
  }

  /** The workloads at an address. */
  workloadsAt(address: string): readonly WorkloadView[] {
    const all = [...this.#mesh.workloads.values()];
    return all
      .filter(({ addresses }) => addresses.includes(address))
      .slice(0, maxFound)
      .map(viewOf);
  }

  get workloadIds(): readonly string[] {
    return [...this.#mesh.workloads.keys()];
  }

  /** What the mesh's names mean to a resolver. */
  get names(): readonly MeshName[] {
    return [...this.#mesh.services.values()].map(
      ({ hostname, name, namespace, addresses, ports, isExternal }) => ({
        hostname,
        name,
        namespace,
        isExternal,
        addresses:
          addresses.length > 0 || isExternal
            ? addresses
            : (this.#mesh.endpoints.get(hostname) ?? []).flatMap(addressesOf),
        ports: ports.map(({ number }) => number),
      }),
    );
  }

  /**
   * One resource of a workload's sidecar, encoded; undefined where there is none of that name.
   *
   * @param host of routes: only those that requests for this host can take
   */
  resource(workloadId: string, type: PartType, name: string, host?: string): Uint8Array | undefined {
    const key = JSON.stringify([workloadId, type, name, host]);
    if (this.#made.has(key)) return this.#made.get(key);
    const workload = this.#mesh.workloads.get(workloadId);
    const seen = workload && this.#views.of(this.#mesh, workload);
    const message = seen && this.#resources.find(seen, workload, type, name);
    const body = message && this.#encoded(type, message, host);
    if (this.#made.size >= maxMade) this.#made.clear();
    this.#made.set(key, body);
    return body;
  }

  #encoded(type: PartType, message: Message, host: string | undefined): Uint8Array {
    if (type === "route" && host !== undefined) {
      return encode(type, routesForHost(message as RouteConfiguration, host)).body;
    }
    let body = this.#bodies.get(message);
    if (!body) {
      body = encode(type, message).body;
      this.#bodies.set(message, body);
    }
    return body;
  }
}

const views = new WeakMap<Mesh, MeshView>();

/** The view of a mesh; what it has made is kept for as long as the mesh is. */
export function meshViewOf(mesh: Mesh): MeshView {
  let view = views.get(mesh);
  if (!view) {
    view = new MeshView(mesh);
    views.set(mesh, view);
  }
  return view;
}

/** `reviews.prod` is `reviews` of `prod`. */
function splitName(name: string): readonly [string, string | undefined] {
  const dot = name.indexOf(".");
  return dot < 0 ? [name, undefined] : [name.slice(0, dot), name.slice(dot + 1)];
}

function namesOf({ name, workloadName, labels, inbound }: MeshWorkload): readonly (string | undefined)[] {
  return [name, workloadName, labels.app, ...inbound.map(({ service }) => service?.name)];
}

function viewOf(workload: MeshWorkload): WorkloadView {
  const { id, workloadName, namespace, identity, labels, addresses, interception, upstreams } = workload;
  return { id, workloadName, namespace, identity, labels, addresses, interception, upstreams };
}
