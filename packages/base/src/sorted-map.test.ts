import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "@weft/testkit/properties";
import { SortedMap } from "./sorted-map.ts";

const keys = fc.string({ minLength: 0, maxLength: 3 });
const step = fc.record({
  set: fc.array(fc.tuple(keys, fc.integer({ min: 0, max: 3 })), { maxLength: 200 }),
  removed: fc.array(keys, { maxLength: 60 }),
});

function byCodeUnit([a]: [string, number], [b]: [string, number]): number {
  return a < b ? -1 : 1;
}

test("a sorted map holds what a map holds after any changes, in order, and its predecessors stay as they were", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
      const model = new Map<string, number>();
      let map = SortedMap.from<number>([]);
      const history: [SortedMap<number>, [string, number][]][] = [];
      for (const { set, removed } of steps) {
        for (const [key, value] of set) model.set(key, value);
        for (const key of removed) model.delete(key);
        map = map.with(set, removed);
        history.push([map, [...model].sort(byCodeUnit)]);
      }
      for (const [then, expected] of history) {
        assert.equal(then.size, expected.length);
        assert.deepEqual([...then], expected);
        const visited: [string, number][] = [];
        then.forEach((value, key) => void visited.push([key, value]));
        assert.deepEqual(visited, expected);
        // More often than it has entries, so that both ways to look are taken.
        for (let round = 0; round < 3; round += 1) {
          for (const [key, value] of expected) assert.equal(then.get(key), value);
          assert.equal(then.has("longer than any"), false);
        }
        assert.deepEqual(
          [...then.keys()],
          [...then.entries()].map(([key]) => key),
        );
        assert.deepEqual(
          [...then.values()],
          expected.map(([, value]) => value),
        );
      }
      const [[first, before] = [map, []]] = history;
      const [old, now] = [new Map(before), model];
      const differing = [...new Set([...old.keys(), ...now.keys()])]
        .filter((key) => old.has(key) !== now.has(key) || old.get(key) !== now.get(key))
        .sort();
      assert.deepEqual(SortedMap.differing(first, map), differing);
      assert.deepEqual(SortedMap.differing(map, first), differing);
      const like = SortedMap.like(first, model);
      assert.deepEqual([...like], [...model].sort(byCodeUnit));
      assert.deepEqual(SortedMap.differing(first, like), differing);
      assert.equal(SortedMap.like(like, new Map([...model].reverse())), like);
    }),
    { numRuns: 200 },
  );
});

test("a changed value leaves all but its own run of entries shared, and looks at no more to find it", () => {
  const large = SortedMap.from(Array.from({ length: 10_000 }, (_, i) => [`key-${i}`, {}] as const));
  const next = large.with([["key-77", {}]]);
  assert.deepEqual(SortedMap.differing(large, next), ["key-77"]);
  const [before, after] = [runs(large), runs(next)];
  assert.equal(before.filter((run) => !after.includes(run)).length, 1);
  assert.equal(large.with([]), large);
  const joined = next.with([["key-77b", {}]], ["key-78"]);
  assert.deepEqual(SortedMap.differing(next, joined), ["key-77b", "key-78"]);
  assert.ok(runs(joined).filter((run) => !after.includes(run)).length <= 2);
});

test("runs stay between a quarter of their bound and it while entries come and go", () => {
  const names = Array.from({ length: 2_000 }, (_, i) => String(i));
  let map = SortedMap.from<number>([]);
  for (const [i, name] of names.entries()) map = map.with([[name, i]]);
  assert.ok(runs(map).every(({ length }) => length <= 128));
  for (const name of names.filter((_, i) => i % 16 !== 0)) map = map.with([], [name]);
  assert.equal(map.size, 125);
  assert.ok(runs(map).length <= 4, `${runs(map).length} runs for 125 entries`);
});

function runs(map: SortedMap<unknown>): readonly (readonly unknown[])[] {
  return (map as unknown as { chunks: { values: readonly unknown[] }[] }).chunks.map(({ values }) => values);
}
