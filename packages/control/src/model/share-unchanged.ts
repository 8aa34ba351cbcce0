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
  return shareRecord(before as Record<string, unknown>, after as Record<string, unknown>);
}

function shareMap(before: ReadonlyMap<unknown, unknown>, after: ReadonlyMap<unknown, unknown>): unknown {
  const shared = new Map<unknown, unknown>();
  let isSame = before.size === after.size;
  for (const [key, value] of after) {
    const kept = share(before.get(key), value);
    isSame &&= kept === before.get(key) && before.has(key);
    shared.set(key, kept);
  }
  return isSame ? before : shared;
}

/** Made of `before`, so that what the two have in common is not even looked at the next time. */
function shareSorted(before: SortedMap<unknown>, after: SortedMap<unknown>): unknown {
  const set: [string, unknown][] = [];
  const removed: string[] = [];
  for (const key of SortedMap.differing(before, after)) {
    if (!after.has(key)) removed.push(key);
    else {
      const old = before.get(key);
      const kept = share(old, after.get(key));
      if (kept !== old || !before.has(key)) set.push([key, kept]);
    }
  }
  return before.with(set, removed);
}

function shareList(before: readonly unknown[], after: readonly unknown[]): unknown {
  const shared = after.map((item, i) => share(before[i], item));
  return before.length === after.length && shared.every((item, i) => item === before[i]) ? before : shared;
}

function shareRecord(before: Record<string, unknown>, after: Record<string, unknown>): unknown {
  const keys = Object.keys(after);
  const shared: Record<string, unknown> = {};
  let isSame = keys.length === Object.keys(before).length;
  for (const key of keys) {
    shared[key] = share(before[key], after[key]);
    isSame &&= Object.hasOwn(before, key) && shared[key] === before[key];
  }
  return isSame ? before : shared;
}
