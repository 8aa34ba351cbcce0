import assert from "node:assert/strict";
import { test } from "node:test";
import { NativeBuckets } from "./native-buckets.ts";

/** The bucket's bounds: above the first, up to the second. */
function boundsOf(bucket: number, schema: number): [number, number] {
  const base = 2 ** (2 ** -schema);
  return [base ** (bucket - 1), base ** bucket];
}

test("an observation is in the bucket that it is within", () => {
  for (const value of [1e-9, 0.3, 1, 2, 8, 8.000001, 12.9, 1_000, 3.6e6]) {
    const buckets = new NativeBuckets();
    buckets.observe(value);
    const [[bucket]] = [...buckets.counts] as [[number, number]];
    const [low, high] = boundsOf(bucket, buckets.schema);
    assert.ok(low < value * (1 + 1e-12) && value <= high * (1 + 1e-12), `${low} < ${value} <= ${high}`);
  }
});

test("nothing, and what is none, counts as zero", () => {
  const buckets = new NativeBuckets();
  for (const value of [0, -1, Number.NaN, 1e-300]) buckets.observe(value);
  assert.equal(buckets.zeroCount, 4);
  assert.equal(buckets.counts.size, 0);
});

test("buckets are 160 at most: all get wider, and no observation is lost", () => {
  const buckets = new NativeBuckets();
  const count = 4_000;
  for (let i = 0; i < count; i++) buckets.observe(1.02 ** (i - 2_000));
  assert.ok(buckets.counts.size <= 160);
  assert.ok(buckets.schema < 3);
  assert.equal(
    [...buckets.counts.values()].reduce((sum, one) => sum + one, 0),
    count,
  );
  for (const bucket of buckets.counts.keys()) {
    const [low, high] = boundsOf(bucket, buckets.schema);
    assert.ok(low < 1.02 ** 2_000 && high > 1.02 ** -2_001);
  }
});

test("two are one when they are merged, the coarser of both", () => {
  const coarse = new NativeBuckets();
  for (let i = 0; i < 2_000; i++) coarse.observe(1.02 ** (i - 1_000));
  const fine = new NativeBuckets();
  for (const value of [0, 3, 5]) fine.observe(value);
  fine.merge(coarse);
  assert.equal(fine.schema, coarse.schema);
  assert.equal(fine.zeroCount, 1);
  assert.equal(
    [...fine.counts.values()].reduce((sum, one) => sum + one, 0),
    2_002,
  );
});
