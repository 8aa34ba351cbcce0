import assert from "node:assert/strict";
import { test } from "node:test";
import { KeptFor } from "./kept-for.ts";

test("what was made for a thing is kept for as long as each of its sources is the very same", () => {
  const kept = new KeptFor<object, object>();
  const [thing, other, a, b] = [{}, {}, {}, {}];
  const make = (from: readonly unknown[], of = thing) => kept.get(of, from, () => ({}));
  const first = make([a, b, 1]);
  assert.equal(make([a, b, 1]), first);
  assert.notEqual(make([a, b, 1], other), first);
  for (const from of [[a, b], [b, a, 1], [a, {}, 1], [a, b, 2], []]) {
    const next = make(from);
    assert.notEqual(next, first, JSON.stringify(from));
    assert.equal(make(from), next);
  }
  assert.notEqual(make([a, b, 1]), first, "the last is kept, and no other");
});
