import assert from "node:assert/strict";
import { test } from "node:test";
import { keepLatest } from "./keep-latest.ts";

test("what was made last is kept for the very same arguments, and for no others", () => {
  let count = 0;
  const pair = keepLatest((a: object, b: object) => {
    count += 1;
    return [a, b];
  });
  const [one, other] = [{}, {}];
  const first = pair(one, other);
  assert.equal(pair(one, other), first);
  assert.deepEqual(pair(other, one), [other, one]);
  assert.notEqual(pair(one, other), first);
  assert.equal(count, 3);
});
