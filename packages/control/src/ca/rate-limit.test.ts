import assert from "node:assert/strict";
import { test } from "node:test";
import { RateLimit } from "./rate-limit.ts";

test("each caller has its burst, and then its rate", () => {
  const limit = new RateLimit({ perSecond: 2, burst: 3 });
  for (let i = 0; i < 3; i++) {
    assert.equal(limit.waitMs("a", 0), 0);
    limit.take("a", 0);
  }
  assert.equal(limit.waitMs("a", 0), 500);
  assert.equal(limit.waitMs("b", 0), 0);
  assert.equal(limit.waitMs("a", 500), 0);
  limit.take("a", 500);
  assert.equal(limit.waitMs("a", 500), 500);
  assert.equal(limit.waitMs("a", 1_000_000), 0, "and never saves up more than its burst");
  for (let i = 0; i < 3; i++) limit.take("a", 1_000_000);
  assert.equal(limit.waitMs("a", 1_000_000), 500);
});

test("a flood of callers forgets those that were quiet longest, not those that are busy", () => {
  const limit = new RateLimit({ perSecond: 1, burst: 1 });
  limit.take("quiet", 0);
  for (let i = 0; i < 9_999; i++) limit.take(`caller ${i}`, 0);
  limit.take("busy", 0);
  assert.equal(limit.waitMs("quiet", 0), 0);
  assert.equal(limit.waitMs("busy", 0), 1_000);
});
