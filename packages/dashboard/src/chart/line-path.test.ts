import assert from "node:assert/strict";
import { test } from "node:test";
import { linePath } from "./line-path.ts";

const paths: readonly (readonly [what: string, values: readonly (number | null)[], path: string])[] = [
  ["no values", [null, null], ""],
  ["a line", [1, 2, 3], "M0 1L10 2L20 3"],
  ["a gap", [1, 2, null, 4, 5], "M0 1L10 2M30 4L40 5"],
  ["one point alone", [null, 2, null], "M10 2h2"],
];
for (const [what, values, path] of paths) {
  test(`the path of ${what}`, () => {
    assert.equal(
      linePath(
        values,
        (i) => i * 10,
        (v) => v,
      ),
      path,
    );
  });
}
