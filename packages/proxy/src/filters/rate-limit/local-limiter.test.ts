import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LocalLimiter } from "./local-limiter.ts";
import { TokenBucket } from "./token-bucket.ts";

const bucket = { maxTokens: 2, tokensPerFill: 1, fillIntervalMs: 1_000 };

describe("a token bucket", () => {
  it("is full at first, and fills evenly, never beyond its size", () => {
    const tokens = new TokenBucket(bucket, 0);
    assert.deepEqual([tokens.take(0), tokens.take(0), tokens.take(0)], [true, true, false]);
    assert.equal(tokens.resetS(0), 1);
    assert.equal(tokens.take(999), false);
    assert.equal(tokens.take(1_000), true);
    assert.equal(tokens.remaining(100_000), 2);
    assert.equal(tokens.resetS(100_000), 0);
  });
});

describe("buckets of descriptors", () => {
  const limiterOf = (alwaysTakesCommon: boolean) =>
    new LocalLimiter(
      {
        bucket: { maxTokens: 3, tokensPerFill: 1, fillIntervalMs: 1_000 },
        descriptors: [
          { descriptor: [["user", ""]], bucket: { maxTokens: 1, tokensPerFill: 1, fillIntervalMs: 1_000 } },
        ],
        alwaysTakesCommon,
        maxDynamicBuckets: 2,
      },
      0,
    );
  const user = (name: string) => [[["user", name]] as const];

  it("without a value give every value its own, the least recently used forgotten when there are too many", () => {
    const limiter = limiterOf(false);
    const take = (name: string) => limiter.take(user(name), 0).isAllowed;
    assert.deepEqual([take("a"), take("a"), take("b")], [true, false, true]);
    take("a");
    assert.equal(take("c"), true, "makes room by forgetting b");
    assert.equal(take("a"), false, "a is still known");
    assert.equal(take("b"), true, "b is not");
  });

  it("take from the common one too where configured", () => {
    const limiter = limiterOf(true);
    assert.ok(limiter.take(user("a"), 0).isAllowed);
    assert.ok(limiter.take(user("b"), 0).isAllowed);
    assert.ok(limiter.take([], 0).isAllowed);
    assert.equal(limiter.take(user("c"), 0).isAllowed, false);
  });
});
