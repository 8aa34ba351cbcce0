import { MeshError } from "@weft/base/errors";
import { SortedMap } from "@weft/base/sorted-map";
import type { XdsResource } from "@weft/xds/snapshot";
import type { PartType } from "../translate/part.ts";
import { type Encoded, typeUrls } from "./encode.ts";

export const partTypes = Object.keys(typeUrls) as PartType[];

export type TypeMap = SortedMap<XdsResource>;

/** Encoded parts by type, in the order they were made, and the resources in them by name. */
export interface ResourceSet {
  readonly lists: ReadonlyMap<PartType, readonly Encoded[]>;
  readonly maps: ReadonlyMap<PartType, TypeMap>;
}

/** Encoded parts by type, as they are being put together. */
export type Lists = ReadonlyMap<PartType, Encoded[]>;

export function emptyLists(): Lists {
  return new Map(partTypes.map((type) => [type, []]));
}

export const emptySet: ResourceSet = {
  lists: emptyLists(),
  maps: new Map(partTypes.map((type) => [type, SortedMap.from<XdsResource>([])])),
};

/**
 * The set of these lists. A type whose lists are those of `previous` keeps its
 * very map; where few of them differ, its map shares all others.
 *
 * @throws MeshError when two resources of a type have one name
 */
export function resourceSet(
  lists: ReadonlyMap<PartType, readonly Encoded[]>,
  previous: ResourceSet,
): ResourceSet {
  const maps = new Map<PartType, TypeMap>();
  let isSame = true;
  for (const [type, now] of lists) {
    const before = previous.lists.get(type)!;
    const map = previous.maps.get(type)!;
    const next = updated(type, map, before, now);
    isSame &&= next === map;
    maps.set(type, next);
  }
  return isSame ? previous : { lists, maps };
}

/** This set with some lists of a type in the place of others. @throws MeshError as above */
export function withReplaced(
  set: ResourceSet,
  type: PartType,
  replaced: ReadonlyMap<number, Encoded>,
): ResourceSet {
  const before = set.lists.get(type)!;
  const pairs = Array.from(replaced, ([at, now]) => ({ before: before[at]!, now })).filter(
    ({ before, now }) => before !== now,
  );
  if (pairs.length === 0) return set;
  const now = [...before];
  for (const [at, list] of replaced) now[at] = list;
  const map = exchanged(type, set.maps.get(type)!, pairs);
  return { lists: new Map([...set.lists, [type, now]]), maps: new Map([...set.maps, [type, map]]) };
}

function updated(type: PartType, map: TypeMap, before: readonly Encoded[], now: readonly Encoded[]): TypeMap {
  if (before === now) return map;
  if (before.length !== now.length) return exchanged(type, map, [{ before: before.flat(), now: now.flat() }]);
  const pairs = now.flatMap((list, i) => (list === before[i] ? [] : [{ before: before[i]!, now: list }]));
  return exchanged(type, map, pairs);
}

/** The map with resources in the place of those of before; the very map where they are the same. */
function exchanged(
  type: PartType,
  map: TypeMap,
  pairs: readonly { readonly before: Encoded; readonly now: Encoded }[],
): TypeMap {
  const removed = new Set(pairs.flatMap(({ before }) => before.map(({ name }) => name)));
  const set = new Map<string, XdsResource>();
  for (const { now } of pairs) {
    for (const resource of now) {
      const { name } = resource;
      if (set.has(name) || (map.has(name) && !removed.has(name))) {
        throw new MeshError(`two resources of type ${type} are named ${name}`, { source: "internal" });
      }
      set.set(name, resource);
    }
  }
  const changed = [...set].filter(([name, resource]) => map.get(name) !== resource);
  return map.with(changed, removed.difference(set));
}
