import assert from "node:assert/strict";
import { test } from "node:test";
import { createRequestId } from "./request-id.ts";

test("request ids are UUIDs of version 4, all different, and every free digit takes every value", () => {
  const ids = Array.from({ length: 2_000 }, createRequestId);
  for (const id of ids)
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(new Set(ids).size, ids.length);
  for (let i = 0; i < 36; i++) {
    const seen = new Set(ids.map((id) => id[i])).size;
    const expected = [8, 13, 18, 23, 14].includes(i) ? 1 : i === 19 ? 4 : 16;
    assert.equal(seen, expected, `digit ${i}`);
  }
});
