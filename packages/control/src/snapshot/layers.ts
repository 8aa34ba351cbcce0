import { MeshError } from "@weft/base/errors";
import { LayeredMap } from "@weft/xds/layered-map";
import type { Snapshot, XdsResource } from "@weft/xds/snapshot";
import type { PartType } from "../translate/part.ts";
import { typeUrls } from "./encode.ts";
import { partTypes, type ResourceSet, type TypeMap } from "./resource-set.ts";

type ResourceMap = ReadonlyMap<string, XdsResource>;

/** Own resources over common ones; maps of types in which nothing changed are those of the last snapshot. */
export function layered(common: ResourceSet, own: ResourceSet, last: Snapshot | undefined): Snapshot {
  const maps = new Map<string, ResourceMap>();
  for (const type of partTypes) {
    const url = typeUrls[type];
    maps.set(url, layeredMap(type, common.maps.get(type)!, own.maps.get(type)!, last?.byType.get(url)));
  }
  return { byType: maps };
}

/** The same client's snapshot over what has become of what is common: of few types anything has. */
export function relayered(
  common: ResourceSet,
  before: ResourceSet,
  own: ResourceSet,
  last: Snapshot,
): Snapshot {
  const maps = new Map(last.byType);
  for (const type of differingTypes(before, common)) {
    const url = typeUrls[type];
    maps.set(url, layeredMap(type, common.maps.get(type)!, own.maps.get(type)!, maps.get(url)));
  }
  return { ...last, byType: maps };
}

let compared:
  | { readonly a: ResourceSet; readonly b: ResourceSet; readonly types: readonly PartType[] }
  | undefined;

/** Types whose maps are not the same; the clients of an audience ask one after the other. */
function differingTypes(a: ResourceSet, b: ResourceSet): readonly PartType[] {
  if (compared?.a !== a || compared.b !== b) {
    compared = { a, b, types: partTypes.filter((type) => a.maps.get(type) !== b.maps.get(type)) };
  }
  return compared.types;
}

/** @throws MeshError when the two have a resource of one name */
function layeredMap(
  type: PartType,
  common: TypeMap,
  own: TypeMap,
  before: ResourceMap | undefined,
): ResourceMap {
  if (own.size === 0) return common;
  if (before instanceof LayeredMap && before.common === common && before.own === own) return before;
  for (const name of own.keys()) {
    if (!common.has(name)) continue;
    throw new MeshError(`two resources of type ${type} are named ${name}`, { source: "internal" });
  }
  return new LayeredMap(common, own);
}
