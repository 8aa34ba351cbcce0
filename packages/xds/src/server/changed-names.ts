import { SortedMap } from "@weft/base/sorted-map";
import { LayeredMap } from "../layered-map.ts";
import type { XdsResource } from "../snapshot.ts";

export type ResourceMap = ReadonlyMap<string, XdsResource>;

const memo = new WeakMap<ResourceMap, WeakMap<ResourceMap, readonly string[]>>();

/**
 * The names whose resource differs between two maps. Costs what differs where
 * one of them was made from the other, and that once per pair of maps: when a
 * thousand clients move from one snapshot to the next, they share the answer.
 */
export function changedNames(from: ResourceMap, to: ResourceMap): readonly string[] {
  if (from === to) return [];
  if (from instanceof LayeredMap && to instanceof LayeredMap) {
    const common = changedNames(from.common, to.common);
    return from.own === to.own ? common : [...common, ...compare(from.own, to.own)];
  }
  let byTarget = memo.get(from);
  if (!byTarget) {
    byTarget = new WeakMap();
    memo.set(from, byTarget);
  }
  let names = byTarget.get(to);
  if (!names) {
    names = compare(from, to);
    byTarget.set(to, names);
  }
  return names;
}

/** The same content may go to others than before: to all who ask for everything, or not. */
function differ(before: XdsResource | undefined, after: XdsResource | undefined): boolean {
  if (before === after) return false;
  return before?.version !== after?.version || before?.isOnDemand !== after?.isOnDemand;
}

function compare(from: ResourceMap, to: ResourceMap): readonly string[] {
  if (from instanceof SortedMap && to instanceof SortedMap) {
    const names: string[] = SortedMap.differing(from, to);
    return names.filter((name) => differ(from.get(name), to.get(name)));
  }
  const names: string[] = [];
  for (const [name, resource] of to) {
    if (differ(from.get(name), resource)) names.push(name);
  }
  for (const name of from.keys()) if (!to.has(name)) names.push(name);
  return names;
}
