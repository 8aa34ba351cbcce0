import { SortedMap } from "@weft/base/sorted-map";
import { PrivateText } from "../config/private-text.ts";
import type { Mesh } from "./mesh.ts";

/**
 * `next`, with every part that equals its counterpart in `previous` replaced by
 * that very object. Identity then means equality, so that whatever was derived
 * from an unchanged part can be kept by reference.
 */
export function shareUnchanged(previous: Mesh | undefined, next: Mesh): Mesh {
  if (!previous) return next;
  return share(previous, next) as Mesh;
}

/** Whether two values of plain data are equal. */
export function isEqual(a: unknown, b: unknown): boolean {
  return share(a, b) === a;
}

/** `after`, or whatever of `before` is equal to it or to a part of it. */
export function share<T>(before: T, after: T): T;
export function share(before: unknown, after: unknown): unknown {
  if (Object.is(before, after)) return before;
  if (typeof before !== "object" || typeof after !== "object" || !before || !after) return after;
  if (after instanceof SortedMap) return before instanceof SortedMap ? shareSorted(before, after) : after;
  if (after instanceof Map) return before instanceof Map ? shareMap(before, after) : after;
  if (after instanceof PrivateText) {
    return before instanceof PrivateText && before.fingerprint === after.fingerprint ? before : after;
  }
  if (Array.isArray(after)) return Array.isArray(before) ? shareList(before, after) : after;
  if (Array.isArray(before) || before instanceof Map || before instanceof SortedMap) return after;
  return shareRecord(before as Record<string, unknown>, after as Record<string, unknown>);
}

/** One of the two wherever that will do, as for all of these. */
function shareMap(before: ReadonlyMap<unknown, unknown>, after: ReadonlyMap<unknown, unknown>): unknown {
  const replaced = new Map<unknown, unknown>();
  let isAsBefore = before.size === after.size;
  for (const [key, value] of after) {
    const old = before.get(key);
    const kept = share(old, value);
    isAsBefore &&= kept === old && (kept !== undefined || before.has(key));
    if (kept !== value) replaced.set(key, kept);
  }
  if (isAsBefore) return before;
  if (replaced.size === 0) return after;
  return new Map(after.entries().map(([key, value]) => [key, replaced.has(key) ? replaced.get(key) : value]));
}

/** Else made of `before`: what maps have in common by their descent is not even looked at the next time. */
function shareSorted(before: SortedMap<unknown>, after: SortedMap<unknown>): unknown {
  const set: [string, unknown][] = [];
  const removed: string[] = [];
  let isAsAfter = true;
  for (const key of SortedMap.differing(before, after)) {
    if (!after.has(key)) removed.push(key);
    else {
      const value = after.get(key);
      const kept = share(before.get(key), value);
      isAsAfter &&= kept === value;
      set.push([key, kept]);
    }
  }
  return isAsAfter && set.length + removed.length > 0 ? after : before.with(set, removed);
}

function shareList(before: readonly unknown[], after: readonly unknown[]): unknown {
  const shared = after.map((item, i) => share(before[i], item));
  if (before.length === after.length && shared.every((item, i) => item === before[i])) return before;
  return shared.every((item, i) => item === after[i]) ? after : shared;
}

function shareRecord(before: Record<string, unknown>, after: Record<string, unknown>): unknown {
  const keys = Object.keys(after);
  const shared: Record<string, unknown> = {};
  let isAsBefore = keys.length === Object.keys(before).length;
  let isAsAfter = true;
  for (const key of keys) {
    const kept = share(before[key], after[key]);
    isAsBefore &&= Object.hasOwn(before, key) && kept === before[key];
    isAsAfter &&= kept === after[key];
    shared[key] = kept;
  }
  if (isAsBefore) return before;
  return isAsAfter ? after : shared;
}
