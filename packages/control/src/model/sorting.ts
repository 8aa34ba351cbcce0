import type { MeshKind } from "../config/kinds.ts";
import { meshKinds } from "../config/kinds.ts";
import { type ConfigResource, type ResourceOf, resourceKey } from "../config/resource.ts";

export type ResourcesByKind = { readonly [K in MeshKind]: readonly ResourceOf<K>[] };

/** By kind, each in order of namespace and name. */
export function resourcesOf(resources: readonly ConfigResource[]): ResourcesByKind {
  const keyed = resources.map((resource) => ({ resource, key: resourceKey(resource) }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const byKind = Object.fromEntries(meshKinds.map((kind) => [kind, [] as ConfigResource[]]));
  for (const { resource } of keyed) byKind[resource.kind]!.push(resource);
  return byKind as unknown as ResourcesByKind;
}

/** The same entries in order of their keys, compared by code unit. */
export function sortedMap<V>(map: ReadonlyMap<string, V>): ReadonlyMap<string, V> {
  return new Map([...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

export function sortedUnique(values: Iterable<string>): string[] {
  return [...new Set(values)].sort();
}
