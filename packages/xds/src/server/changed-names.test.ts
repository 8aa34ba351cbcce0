import assert from "node:assert/strict";
import { test } from "node:test";
import { SortedMap } from "@weft/base/sorted-map";
import { LayeredMap } from "../layered-map.ts";
import { changedNames } from "./changed-names.ts";

const resource = (name: string, version: string) => ({ name, version, body: new Uint8Array() });
const entry = (name: string, version: string) => [name, resource(name, version)] as const;

test("changed names are those that came, went or have another version, of whatever kind the maps are", () => {
  const before = SortedMap.from([entry("a", "1"), entry("b", "1"), entry("c", "1"), entry("d", "1")]);
  const after = before.with([entry("b", "2"), entry("c", "1"), entry("e", "1")], ["d"]);
  const expected = ["b", "d", "e"];
  assert.deepEqual(changedNames(before, after), expected, "an equal version is no change");
  assert.deepEqual(changedNames(new Map(before), new Map(after)).toSorted(), expected);
  assert.deepEqual(changedNames(before, SortedMap.from([...after])), expected, "made of nothing");
  assert.deepEqual(changedNames(before, before), []);
  const own = new Map([entry("mine", "1")]);
  const other = new Map([entry("mine", "2")]);
  assert.deepEqual(changedNames(new LayeredMap(before, own), new LayeredMap(after, own)), expected);
  assert.deepEqual(changedNames(new LayeredMap(before, own), new LayeredMap(before, other)), ["mine"]);
});
