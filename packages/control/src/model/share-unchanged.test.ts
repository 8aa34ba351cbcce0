import assert from "node:assert/strict";
import { test } from "node:test";
import { SortedMap } from "@weft/base/sorted-map";
import { isEqual, share } from "./share-unchanged.ts";

const kinds: readonly (readonly [string, (entries: Record<string, unknown>) => unknown])[] = [
  ["records", (entries) => ({ ...entries })],
  ["lists", (entries) => Object.values(entries)],
  ["maps", (entries) => new Map(Object.entries(entries))],
  ["sorted maps", (entries) => SortedMap.from(Object.entries(entries))],
];

for (const [kind, make] of kinds) {
  test(`${kind}: the old one where all is equal, the new one where nothing of the old is, else a mixture`, () => {
    const [a, b] = [{ name: "a" }, { name: "b" }];
    const before = make({ a, b });
    assert.equal(share(before, make({ a: { name: "a" }, b: { name: "b" } })), before);
    const other = make({ a, b: { name: "c" } });
    assert.equal(share(before, other), other, "what it has of the old one are the very objects already");
    const mixed = share(before, make({ a: { name: "a" }, b: { name: "c" } }));
    assert.deepEqual(mixed, other);
    assert.equal(isEqual(before, mixed), false);
    const [kept] =
      mixed instanceof SortedMap || mixed instanceof Map ? mixed.values() : Object.values(mixed!);
    assert.equal(kept, a);
    const less = make({ a });
    assert.equal(share(before, less), less);
  });
}

test("nothing is taken for the same as something, nor one kind for another", () => {
  assert.equal(isEqual({ a: undefined }, {}), false);
  assert.equal(isEqual({}, { a: undefined }), false);
  assert.equal(isEqual(new Map([["a", undefined]]), new Map([["b", undefined]])), false);
  assert.equal(isEqual(["a"], { 0: "a" }), false);
  assert.equal(isEqual(null, {}), false);
});
