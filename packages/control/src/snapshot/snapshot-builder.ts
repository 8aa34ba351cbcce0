import { MeshError } from "@weft/base/errors";
import type { Snapshot, XdsResource } from "@weft/xds/snapshot";
import type { Mesh } from "../model/mesh.ts";
import { shareUnchanged } from "../model/share-unchanged.ts";
import { type ClientFeatures, featuresKey, noFeatures } from "../translate/client-features.ts";
import { proxyParts } from "../translate/proxy-parts.ts";
import type { PartType, SidecarPart } from "../translate/sidecar-parts.ts";
import { type EncodedResource, encode, typeUrls } from "./encode.ts";

const partTypes = Object.keys(typeUrls) as PartType[];

type Encoded = readonly EncodedResource[];
type TypeMap = ReadonlyMap<string, XdsResource>;

/** Results by the objects they were made from; forgotten with the first of those that is. */
class PartCache {
  #next = new WeakMap<object, PartCache>();
  readonly #results = new Map<string, Encoded>();

  get(part: SidecarPart, make: () => Encoded): Encoded {
    let node: PartCache = this;
    for (const object of part.from) {
      let next = node.#next.get(object);
      if (!next) {
        next = new PartCache();
        node.#next.set(object, next);
      }
      node = next;
    }
    const key = `${part.id}\0${part.variant}`;
    let result = node.#results.get(key);
    if (!result) {
      result = make();
      node.#results.set(key, result);
    }
    return result;
  }
}

/**
 * Makes the snapshots of all proxies of one mesh. A resource is translated and
 * encoded once for all proxies that get it, and again only when the part of the
 * mesh it is made from changes; unchanged resources are the same objects from
 * one snapshot to the next, and so are the maps of unchanged types.
 */
export class SnapshotBuilder {
  readonly #parts = new PartCache();
  readonly #canonical = new WeakMap<Mesh, Mesh>();
  readonly #interned = new Map<string, WeakRef<EncodedResource>>();
  readonly #lost = new FinalizationRegistry<string>((key) => {
    if (!this.#interned.get(key)?.deref()) this.#interned.delete(key);
  });
  readonly #maps = new Map<string, Map<string, { lists: readonly Encoded[]; map: TypeMap }>>();
  #latest: Mesh | undefined;

  /**
   * The snapshot of one workload's sidecar (and agent), within what that proxy
   * can do; `features` left out are Envoy's.
   *
   * @throws MeshError when the mesh does not know the workload, or when the
   * result would leave a proxy waiting for something that is not in it
   */
  build(mesh: Mesh, proxy: { readonly id: string; readonly features?: ClientFeatures }): Snapshot {
    const { id, features = noFeatures } = proxy;
    const shared = this.#share(mesh);
    const own = shared.workloads.get(id);
    if (!own) throw new MeshError(`workload ${id} is not part of the mesh`, { source: "internal" });
    const lists = new Map<PartType, Encoded[]>(partTypes.map((type) => [type, []]));
    for (const part of proxyParts(shared, own, features)) {
      lists.get(part.type)!.push(this.#parts.get(part, () => this.#encode(part)));
    }
    const byType = new Map(
      partTypes.map((type) => [typeUrls[type], this.#map(own.id, type, features, lists.get(type)!)]),
    );
    checkReferences(own.id, lists, byType);
    return { byType };
  }

  /** Lets go of what is kept for a workload that has left. */
  forget(workloadId: string): void {
    this.#maps.delete(workloadId);
  }

  #share(mesh: Mesh): Mesh {
    let shared = this.#canonical.get(mesh);
    if (!shared) {
      shared = shareUnchanged(this.#latest, mesh);
      this.#canonical.set(mesh, shared);
      this.#latest = shared;
    }
    return shared;
  }

  /** Equal resources of different workloads, such as the inbound clusters of replicas, become one. */
  #encode(part: SidecarPart): Encoded {
    return part.build().map((message) => {
      const fresh = encode(part.type, message);
      const key = `${part.type}\0${fresh.name}\0${fresh.version}`;
      const known = this.#interned.get(key)?.deref();
      if (known) return known;
      this.#interned.set(key, new WeakRef(fresh));
      this.#lost.register(fresh, key);
      return fresh;
    });
  }

  #map(workloadId: string, type: PartType, features: ClientFeatures, lists: readonly Encoded[]): TypeMap {
    // What no workload has of its own is one map for all.
    const owner = type === "endpoint" || type === "nameTable" ? "" : workloadId;
    let kept = this.#maps.get(owner);
    if (!kept) {
      kept = new Map();
      this.#maps.set(owner, kept);
    }
    const isOwn = type === "listener" || type === "cluster" || features.isProxyless;
    const key = isOwn ? `${type} ${featuresKey(features)}` : type;
    const last = kept.get(key);
    if (last && last.lists.length === lists.length && lists.every((list, i) => list === last.lists[i])) {
      return last.map;
    }
    const sorted = lists.flat().sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    const map = new Map<string, XdsResource>();
    for (const resource of sorted) {
      if (map.has(resource.name)) {
        throw new MeshError(`two resources of type ${type} are named ${resource.name}`, {
          source: "internal",
        });
      }
      map.set(resource.name, resource);
    }
    kept.set(key, { lists, map });
    return map;
  }
}

function checkReferences(
  workloadId: string,
  lists: ReadonlyMap<PartType, readonly Encoded[]>,
  byType: ReadonlyMap<string, TypeMap>,
): void {
  for (const list of lists.values()) {
    for (const { name, references } of list.flat()) {
      for (const reference of references) {
        if (byType.get(typeUrls[reference.type])!.has(reference.name)) continue;
        const message = `${workloadId}: ${name} refers to ${reference.type} ${reference.name}, which is not there`;
        throw new MeshError(message, { source: "internal" });
      }
    }
  }
}
