import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAge, formatBytes, formatIdentity, formatMs, formatRate, formatShare } from "./format.ts";

const cases: readonly (readonly [shown: string, expected: string])[] = [
  [formatRate(undefined), "–"],
  [formatRate(0), "0"],
  [formatRate(0.44), "0.4"],
  [formatRate(123.4), "123"],
  [formatRate(45_678), "45.7k"],
  [formatMs(null), "–"],
  [formatMs(1.25), "1.3 ms"],
  [formatMs(84.2), "84 ms"],
  [formatMs(12_340), "12.3 s"],
  [formatShare(1), "100 %"],
  [formatShare(0.99999), "99.9 %"],
  [formatShare(0.5), "50 %"],
  [formatShare(0.123), "12.3 %"],
  [formatShare(0.0001), "0.1 %"],
  [formatShare(0), "0 %"],
  [formatBytes(64_200_000), "64 MB"],
  [formatAge(1_400), "1.4 s"],
  [formatAge(-90_000), "90 s"],
  [formatAge(3 * 3_600_000), "3 h"],
  [formatIdentity("spiffe://cluster.local/ns/default/sa/reviews"), "default/reviews"],
  [formatIdentity(""), "no identity"],
];
test("numbers are as long as they say something, and extremes are shown only when they are true", () => {
  for (const [shown, expected] of cases) assert.equal(shown, expected);
});
