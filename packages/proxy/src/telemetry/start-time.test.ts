import assert from "node:assert/strict";
import { it } from "node:test";
import { compileTimeFormat } from "./start-time.ts";

const moment = Date.UTC(2026, 1, 3, 15, 4, 5) + 6.25;

const cases: readonly (readonly [format: string | undefined, expected: string])[] = [
  [undefined, "2026-02-03T15:04:05.006Z"],
  ["%F %T.%6f", "2026-02-03 15:04:05.006250"],
  ["%f", "006250000"],
  ["%I:%M %p, %A %e %B, day %j", "03:04 PM, Tuesday  3 February, day 034"],
  ["%y%m%d %D %R %Z 100%%", "260203 02/03/26 15:04 UTC 100%"],
];
for (const [format, expected] of cases) {
  it(`${format ?? "the default"} gives ${expected}`, () => {
    assert.equal(compileTimeFormat(format)(moment), expected);
  });
}

it("a remembered second does not leak into the next", () => {
  const format = compileTimeFormat("%S");
  assert.deepEqual([format(59_999), format(60_000), format(59_999)], ["59", "00", "59"]);
  const fine = compileTimeFormat("%S.%3f");
  assert.deepEqual([fine(1_001), fine(1_002)], ["01.001", "01.002"]);
});
