import { MeshError } from "@weft/base/errors";
import type { XdsResource } from "@weft/xds/snapshot";
import type { PartType } from "../translate/sidecar-parts.ts";
import { typeUrls } from "./encode.ts";
import type { Encoded } from "./part-cache.ts";

export const partTypes = Object.keys(typeUrls) as PartType[];

export type TypeMap = ReadonlyMap<string, XdsResource>;

/** Encoded parts by type, in the order they were made, and the resources in them by name. */
export interface ResourceSet {
  readonly lists: ReadonlyMap<PartType, readonly Encoded[]>;
  readonly maps: ReadonlyMap<PartType, TypeMap>;
}

export const emptySet: ResourceSet = {
  lists: new Map(partTypes.map((type) => [type, []])),
  maps: new Map(partTypes.map((type) => [type, new Map()])),
};

/**
 * The set of these lists. A type whose lists are those of `previous` keeps its
 * very map; where few of them differ, its map is copied and those are replaced.
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

function updated(type: PartType, map: TypeMap, before: readonly Encoded[], now: readonly Encoded[]): TypeMap {
  const differing: number[] = [];
  const hasMoved = before.length !== now.length;
  for (let i = 0; !hasMoved && i < now.length; i += 1) if (before[i] !== now[i]) differing.push(i);
  if (!hasMoved && differing.length === 0) return map;
  const next = new Map<string, XdsResource>(hasMoved ? [] : map);
  const changed = hasMoved ? now : differing.map((i) => now[i]!);
  if (!hasMoved) for (const i of differing) for (const { name } of before[i]!) next.delete(name);
  for (const list of changed) {
    for (const resource of list) {
      if (next.has(resource.name)) {
        const message = `two resources of type ${type} are named ${resource.name}`;
        throw new MeshError(message, { source: "internal" });
      }
      next.set(resource.name, resource);
    }
  }
  const isEqual = hasMoved ? isSameMap(map, next) : differing.every((i) => isSameList(before[i]!, now[i]!));
  return isEqual ? map : next;
}

function isSameList(a: Encoded, b: Encoded): boolean {
  return a.length === b.length && a.every((resource, i) => resource === b[i]);
}

function isSameMap(a: TypeMap, b: TypeMap): boolean {
  if (a.size !== b.size) return false;
  for (const [name, resource] of b) if (a.get(name) !== resource) return false;
  return true;
}
