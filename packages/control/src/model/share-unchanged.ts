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

function share(before: unknown, after: unknown): unknown {
  if (Object.is(before, after)) return before;
  if (typeof before !== "object" || typeof after !== "object" || !before || !after) return after;
  if (after instanceof Map) return before instanceof Map ? shareMap(before, after) : after;
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
