import { MeshError } from "@weft/base/errors";
import { isSameList } from "@weft/base/same-list";
import { SortedMap } from "@weft/base/sorted-map";
import type { VirtualHost } from "@weft/xds/gen/envoy/config/route/v3/route_components_pb";
import type { Snapshot } from "@weft/xds/snapshot";
import type { Mesh, MeshWorkload } from "../model/mesh.ts";
import { shareUnchanged } from "../model/share-unchanged.ts";
import type { SeenMesh } from "../model/view.ts";
import { type ClientFeatures, featuresKey, noFeatures } from "../translate/client-features.ts";
import { hostResourceName } from "../translate/on-demand-routes.ts";
import { endpointsPart, type PartType, type SidecarPart } from "../translate/part.ts";
import type { Place } from "../translate/place.ts";
import { type ProxyParts, proxyParts } from "../translate/proxy-parts.ts";
import type { HostKey, RouteMemory } from "../translate/route-assembly.ts";
import {
  type Encoded,
  type EncodedHost,
  type EncodedResource,
  encode,
  encodeHost,
  encodeRoutes,
  type JoinedRoutes,
  loneHost,
  typeUrls,
} from "./encode.ts";
import { layered, relayered } from "./layers.ts";
import { type MadeServices, madeServices } from "./made-services.ts";
import { MeshViews } from "./mesh-views.ts";
import { PartCache } from "./part-cache.ts";
import {
  emptyLists,
  emptySet,
  type Lists,
  partTypes,
  type ResourceSet,
  resourceSet,
  type TypeMap,
  withReplaced,
} from "./resource-set.ts";

/** An audience that nobody has asked for since this many meshes is nobody's any more. */
const keptMeshes = 16;

/** What all clients of one audience have, of the mesh it was made from. */
interface Common {
  /** As they see it. */
  readonly mesh: SeenMesh;
  readonly place: Place;
  readonly hasIpv6: boolean;
  /** Counted in meshes: when somebody last asked for it. */
  readonly age: number;
  readonly set: ResourceSet;
  readonly services: MadeServices;
  /** Route configurations by the part they were made of. */
  readonly routes: ReadonlyMap<string, MadeRoutes>;
}

interface MadeRoutes {
  readonly memory: RouteMemory;
  /** Undefined of virtual hosts that are given by themselves. */
  readonly joined: JoinedRoutes | undefined;
  readonly encoded: Encoded;
}

/** One client's last snapshot, and what it was made from. */
interface Kept {
  readonly mesh: SeenMesh;
  readonly audience: string;
  readonly areMadeFromEndpoints: boolean;
  readonly common: ResourceSet;
  readonly own: ResourceSet;
  readonly snapshot: Snapshot;
}

/**
 * Makes the snapshots of all proxies of one mesh. A resource is translated and
 * encoded once for all proxies that get it, and again only when the part of the
 * mesh it is made from changes; unchanged resources are the same objects from
 * one snapshot to the next, and so are the maps of unchanged types.
 *
 * What clients have in common is put together once for all of them, so that a
 * change costs what has changed and, for each client, its own few resources.
 */
export class SnapshotBuilder {
  readonly #parts = new PartCache<Encoded>();
  /** What was made of a part, where the very same part is given again. */
  readonly #byPart = new WeakMap<SidecarPart, Encoded>();
  readonly #routes = new PartCache<MadeRoutes>();
  /** Encoded virtual hosts, of which a port has as many as there are services. */
  readonly #hosts = new PartCache<EncodedHost>();
  readonly #byKey = new WeakMap<HostKey, EncodedHost>();
  /** The same, as resources of their own. */
  readonly #loneByKey = new WeakMap<HostKey, EncodedResource>();
  readonly #canonical = new WeakMap<Mesh, Mesh>();
  readonly #interned = new Map<string, WeakRef<EncodedResource>>();
  readonly #lost = new FinalizationRegistry<string>((key) => {
    if (!this.#interned.get(key)?.deref()) this.#interned.delete(key);
  });
  readonly #common = new Map<string, Common>();
  /** By workload and by what its clients can do. */
  readonly #kept = new Map<string, Map<string, Kept>>();
  readonly #views = new MeshViews();
  /** Counts meshes. */
  #age = 0;
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
    const workload = shared.workloads.get(id);
    if (!workload) throw new MeshError(`workload ${id} is not part of the mesh`, { source: "internal" });
    let byFeatures = this.#kept.get(id);
    if (!byFeatures) {
      byFeatures = new Map();
      this.#kept.set(id, byFeatures);
    }
    const key = featuresKey(features);
    const last = byFeatures.get(key);
    const view = this.#views.of(shared, workload);
    const next = this.#followed(last, view, id) ?? this.#made(last, view, workload, features);
    byFeatures.set(key, next);
    return next.snapshot;
  }

  /** Where only endpoints differ, and others of its audience have been here before, a client costs next to nothing. */
  #followed(last: Kept | undefined, mesh: SeenMesh, id: string): Kept | undefined {
    if (!last || last.areMadeFromEndpoints || !onlyEndpointsDiffer(last.mesh, mesh)) return undefined;
    const common = this.#common.get(last.audience);
    if (common?.mesh !== mesh || last.mesh.workloads.get(id) !== mesh.workloads.get(id)) return undefined;
    const isSame = last.common === common.set;
    const snapshot = isSame ? last.snapshot : relayered(common.set, last.common, last.own, last.snapshot);
    return { ...last, mesh, common: common.set, snapshot };
  }

  #made(last: Kept | undefined, mesh: SeenMesh, workload: MeshWorkload, features: ClientFeatures): Kept {
    const parts = proxyParts(mesh, workload, features);
    const common = this.#commonSet(mesh, parts, last?.audience);
    const own = resourceSet(this.#encodeAll(parts.own, emptyLists()), last?.own ?? emptySet);
    const { audience, areMadeFromEndpoints } = parts;
    if (last?.common === common && last.own === own) return { ...last, mesh, audience, areMadeFromEndpoints };
    const snapshot = { ...layered(common, own, last?.snapshot), isLearnt: parts.isLearnt };
    checkReferences(workload.id, own, snapshot);
    return { mesh, audience, areMadeFromEndpoints, common, own, snapshot };
  }

  /** Lets go of what is kept for a workload that has left. */
  forget(workloadId: string): void {
    this.#kept.delete(workloadId);
  }

  #share(mesh: Mesh): Mesh {
    if (mesh === this.#latest) return mesh;
    let shared = this.#canonical.get(mesh);
    if (!shared) {
      shared = shareUnchanged(this.#latest, mesh);
      this.#canonical.set(mesh, shared);
      this.#latest = shared;
      this.#age += 1;
      for (const [audience, { age }] of this.#common) {
        if (this.#age - age > keptMeshes) this.#common.delete(audience);
      }
    }
    return shared;
  }

  /** @param before the audience that a client was of, where it is of another now: most of what they have is the same */
  #commonSet(mesh: SeenMesh, parts: ProxyParts, before: string | undefined): ResourceSet {
    const last = this.#common.get(parts.audience);
    if (last?.mesh === mesh) return last.set;
    const isQuick = last && onlyEndpointsDiffer(last.mesh, mesh) && !parts.areMadeFromEndpoints;
    const common = isQuick
      ? this.#withEndpoints(last, mesh)
      : this.#build(last ?? this.#common.get(before ?? ""), last?.services, mesh, parts);
    this.#common.set(parts.audience, common);
    return common.set;
  }

  #build(
    last: Common | undefined,
    lastServices: MadeServices | undefined,
    mesh: SeenMesh,
    { place, hasIpv6, common }: ProxyParts,
  ): Common {
    const routes = new Map<string, MadeRoutes>();
    const lists = emptyLists();
    const services = madeServices(common.byService, lastServices, lists, (part) => this.#encodedPart(part));
    this.#encodeAll(common.rest(), lists, (part) => {
      const made = this.#routesOf(part, last?.routes.get(part.id));
      if (made) routes.set(part.id, made);
      return made?.encoded;
    });
    const set = resourceSet(lists, last?.set ?? emptySet);
    checkReferences("the mesh", set, { byType: byType(set.maps) }, last?.set);
    return { mesh, place, hasIpv6, age: this.#age, set, services, routes };
  }

  /** Only the assignments of services whose endpoints have changed are made again. */
  #withEndpoints(last: Common, mesh: SeenMesh): Common {
    const replaced = new Map<number, Encoded>();
    const { place, hasIpv6 } = last;
    const from = { place, hasIpv6, usual: mesh.options.defaults.locality };
    for (const hostname of SortedMap.differing(last.mesh.endpoints, mesh.endpoints)) {
      const at = last.services.endpointsAt.get(hostname);
      if (at === undefined) continue;
      const part = endpointsPart(mesh.services.get(hostname)!, mesh.endpoints.get(hostname)!, from);
      replaced.set(
        at,
        this.#parts.get(part, part.id, () => this.#encode(part)),
      );
    }
    return { ...last, mesh, age: this.#age, set: withReplaced(last.set, "endpoint", replaced) };
  }

  #encodeAll(
    parts: readonly SidecarPart[],
    lists: Lists,
    routesOf: (part: SidecarPart) => Encoded | undefined = () => undefined,
  ): Lists {
    for (const part of parts) lists.get(part.type)!.push(routesOf(part) ?? this.#encodedPart(part));
    return lists;
  }

  #encodedPart(part: SidecarPart): Encoded {
    let encoded = this.#byPart.get(part);
    if (!encoded) {
      encoded = this.#parts.get(part, part.id, () => this.#encode(part));
      this.#byPart.set(part, encoded);
    }
    return encoded;
  }

  /** Equal resources of different workloads, such as the inbound clusters of replicas, become one. */
  #encode(part: SidecarPart): Encoded {
    return part
      .build()
      .map((message) => this.#shared(part.type, encode(part.type, message, part.isOnDemand)));
  }

  /** A route configuration, of which the hosts that are as they were are not made again; undefined of other parts. */
  #routesOf(part: SidecarPart, last: MadeRoutes | undefined): MadeRoutes | undefined {
    if (!part.assemble) return undefined;
    return this.#routes.get(part, part.id, () => {
      const { head, memory, build } = part.assemble!(last?.memory);
      const isSame = last && memory.names === last.memory.names && isSameList(memory.keys, last.memory.keys);
      if (isSame) return { ...last, memory };
      if (part.type === "virtualHost") {
        const encoded = memory.keys.map((key, at) => this.#loneHost(key, () => build(at)));
        return { memory, joined: undefined, encoded };
      }
      const hosts = memory.keys.map((key, at) => this.#encodedHost(key, () => build(at)));
      const joined = encodeRoutes(head, hosts, last?.joined);
      return { memory, joined, encoded: [this.#shared("route", joined.resource)] };
    });
  }

  #loneHost(key: HostKey, build: () => VirtualHost): EncodedResource {
    let lone = this.#loneByKey.get(key);
    if (!lone) {
      lone = this.#shared("virtualHost", loneHost(hostResourceName(key), this.#encodedHost(key, build)));
      this.#loneByKey.set(key, lone);
    }
    return lone;
  }

  #encodedHost(key: HostKey, build: () => VirtualHost): EncodedHost {
    let encoded = this.#byKey.get(key);
    if (!encoded) {
      const { from, says } = key;
      const variant = says.flat().join(" ");
      encoded = this.#hosts.get({ from, variant }, "", () => encodeHost(build()));
      this.#byKey.set(key, encoded);
    }
    return encoded;
  }

  #shared(type: PartType, fresh: EncodedResource): EncodedResource {
    const key = `${type}\0${fresh.name}\0${fresh.version}\0${fresh.isOnDemand}`;
    const known = this.#interned.get(key)?.deref();
    if (known) return known;
    this.#interned.set(key, new WeakRef(fresh));
    this.#lost.register(fresh, key);
    return fresh;
  }
}

function onlyEndpointsDiffer(before: SeenMesh, after: SeenMesh): boolean {
  return (
    before.services === after.services &&
    before.routing === after.routing &&
    before.attached === after.attached &&
    before.gatewayRouting === after.gatewayRouting &&
    before.secrets === after.secrets &&
    before.options === after.options &&
    before.egress === after.egress
  );
}

function byType(maps: ReadonlyMap<PartType, TypeMap>): Snapshot["byType"] {
  return new Map([...maps].map(([type, map]) => [typeUrls[type], map]));
}

/**
 * Looks at what `before`, in which nothing was missing, did not have; at all of
 * it where a name is gone since.
 */
function checkReferences(
  whose: string,
  { lists, maps }: ResourceSet,
  snapshot: Snapshot,
  before?: ResourceSet,
): void {
  const known =
    before && !partTypes.some((type) => hasLost(before.maps.get(type)!, maps.get(type)!))
      ? before
      : undefined;
  for (const [type, list] of lists) {
    const last = known?.lists.get(type);
    for (const [i, encoded] of list.entries())
      if (encoded !== last?.[i]) checkNames(whose, encoded, snapshot);
  }
}

function hasLost(before: TypeMap, after: TypeMap): boolean {
  return SortedMap.differing(before, after).some((name) => !after.has(name));
}

function checkNames(whose: string, encoded: Encoded, snapshot: Snapshot): void {
  for (const { name, references } of encoded) {
    for (const reference of references) {
      if (snapshot.byType.get(typeUrls[reference.type])!.has(reference.name)) continue;
      const message = `${whose}: ${name} refers to ${reference.type} ${reference.name}, which is not there`;
      throw new MeshError(message, { source: "internal" });
    }
  }
}
