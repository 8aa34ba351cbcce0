import assert from "node:assert/strict";
import { test } from "node:test";
import { isEnd } from "./edge-ends.ts";

const end = { namespace: "default", name: "reviews v2", identity: "", isOutside: false };
const cases: readonly (readonly [text: string, isMeant: boolean])[] = [
  ["reviews v2", true],
  ["reviews", true],
  ["default/reviews", true],
  ["default/reviews v2", true],
  ["other/reviews", false],
  ["review", false],
];
for (const [text, isMeant] of cases) {
  test(`"${text}" ${isMeant ? "means" : "does not mean"} reviews v2 in default`, () => {
    assert.equal(isEnd(end, text), isMeant);
  });
}
