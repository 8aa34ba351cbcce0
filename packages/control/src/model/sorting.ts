import type { MeshKind } from "../config/kinds.ts";
import { meshKinds } from "../config/kinds.ts";
import { type ConfigResource, type ResourceOf, resourceKey } from "../config/resource.ts";

export type ResourcesByKind = { readonly [K in MeshKind]: readonly ResourceOf<K>[] };

interface Sorted {
  readonly resources: readonly ConfigResource[];
  readonly byKind: ResourcesByKind;
}

/** Lists come one after the other, each with a few resources more, fewer or changed. */
let latest: Sorted | undefined;

/** Where more than so many differ, all are sorted again. */
const maxDiffering = 64;

/**
 * By kind, each in order of namespace and name. Kinds of which nothing is
 * another than in the list before are the very same arrays.
 */
export function resourcesOf(resources: readonly ConfigResource[]): ResourcesByKind {
  const byKind = (latest && following(latest, resources)) ?? sorted(resources);
  latest = { resources, byKind };
  return byKind;
}

/** Undefined where too much differs. */
function following({ resources: before, byKind }: Sorted, after: readonly ConfigResource[]) {
  const { removed, added } = differing(before, after);
  if (removed.size + added.length > maxDiffering) return undefined;
  const kinds: { -readonly [K in MeshKind]?: ConfigResource[] } = {};
  const listOf = (kind: MeshKind) => {
    kinds[kind] ??= byKind[kind].filter((resource) => !removed.has(resource));
    return kinds[kind];
  };
  for (const { kind } of removed) listOf(kind);
  for (const resource of added) {
    const list = listOf(resource.kind);
    list.splice(placeOf(resourceKey(resource), list), 0, resource);
  }
  return { ...byKind, ...kinds } as unknown as ResourcesByKind;
}

/** What two lists do not have in common. */
function differing(before: readonly ConfigResource[], after: readonly ConfigResource[]) {
  let start = 0;
  while (start < before.length && before[start] === after[start]) start += 1;
  let end = 0;
  const most = Math.min(before.length, after.length) - start;
  while (end < most && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  const removed = new Set(before.slice(start, before.length - end));
  const added = after.slice(start, after.length - end).filter((resource) => !removed.delete(resource));
  return { removed, added };
}

/** Behind all whose key is not after this one. */
function placeOf(key: string, list: readonly ConfigResource[]): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (resourceKey(list[middle]!) > key) high = middle;
    else low = middle + 1;
  }
  return low;
}

function sorted(resources: readonly ConfigResource[]): ResourcesByKind {
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
