import assert from "node:assert/strict";
import { test } from "node:test";
import { withBuckets } from "./classic-buckets.ts";
import { parseVector } from "./parse-vector.ts";

const answer = (result: unknown, resultType = "vector"): string =>
  JSON.stringify({ status: "success", data: { resultType, result } });

test("native histograms of different places get the same bounds, gaps and all", () => {
  const native = (name: string, buckets: readonly (readonly [number, string, string, string])[]) => ({
    metric: { name },
    histogram: [0, { count: "3", sum: "9", buckets }],
  });
  const series = parseVector(
    200,
    answer([
      native("a", [
        [3, "-0.001", "0.001", "1"],
        [0, "2", "4", "2"],
      ]),
      native("b", [
        [0, "2", "4", "1"],
        [0, "4", "8", "2"],
      ]),
    ]),
  );
  assert.deepEqual(withBuckets(series), [
    { labels: { name: "a" }, value: 3, buckets: { bounds: [0.001, 2, 4, 8], counts: [1, 0, 2, 0, 0] } },
    { labels: { name: "b" }, value: 3, buckets: { bounds: [0.001, 2, 4, 8], counts: [0, 0, 1, 2, 0] } },
  ]);
});

test("classic buckets become counts of their own, whatever order they come in", () => {
  const le = (bound: string, count: string) => ({ metric: { name: "a", le: bound }, value: [0, count] });
  const series = parseVector(200, answer([le("+Inf", "9"), le("5", "4"), le("1", "3"), le("x", "1")]));
  assert.deepEqual(withBuckets(series), [
    { labels: { name: "a" }, value: 9, buckets: { bounds: [1, 5], counts: [3, 1, 5] } },
  ]);
});

test("a value that is no number is said to be none", () => {
  const [nan, infinite, empty] = parseVector(
    200,
    answer([{ metric: {}, value: [0, "NaN"] }, { metric: {}, value: [0, "+Inf"] }, {}]),
  );
  assert.ok(Number.isNaN(nan!.value));
  assert.equal(infinite!.value, Number.POSITIVE_INFINITY);
  assert.ok(Number.isNaN(empty!.value));
});

const refused: readonly (readonly [what: string, status: number, text: string, message: RegExp])[] = [
  [
    "an error of Prometheus",
    422,
    JSON.stringify({ status: "error", error: "too\nmany" }),
    /^it answered 422: too many$/,
  ],
  ["what is no Prometheus", 200, "<html>", /^it answered 200$/],
  ["a matrix", 200, answer([], "matrix"), /a matrix in place of a vector/],
];
for (const [what, status, text, message] of refused) {
  test(`${what} is an error`, () => {
    assert.throws(() => parseVector(status, text), { message });
  });
}
