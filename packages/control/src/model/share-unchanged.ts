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

/** As `share`, of maps in order: costs what differs in them. */
export function shareInOrder<V>(
  before: SortedMap<V> | undefined,
  after: ReadonlyMap<string, V>,
): SortedMap<V> {
  if (!before) return SortedMap.from(after);
  const entries = after.entries().map(([key, value]) => [key, shareEntry(before.get(key), value)] as const);
  return before.with(
    entries,
    before.keys().filter((key) => !after.has(key)),
  );
}

/** What entries of maps became when they were shared. */
const became = new WeakMap<object, unknown>();

/** Entries are kept where they were made, and come again and again: they are compared once. */
function shareEntry<V>(before: V | undefined, after: V): V {
  if (Object.is(before, after) || before === undefined) return after;
  if (typeof after !== "object" || after === null) return after;
  if (became.get(after) === before) return before;
  const shared = share(before, after);
  if (shared !== after) became.set(after, shared);
  return shared;
}

/** Whether two values of plain data are equal. */
export function isEqual(a: unknown, b: unknown): boolean {
  return share(a, b) === a;
}

/** `after`, or whatever of `before` is equal to it or to a part of it. */
export function share<T>(before: T | undefined, after: T): T;
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
    const kept = shareEntry(old, value);
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
      const kept = shareEntry(before.get(key), value);
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
