import assert from "node:assert/strict";
import { test } from "node:test";
import { formatLongResponseFlags, formatResponseFlags, ResponseFlag } from "./response-flag.ts";

// As real Envoy prints them.
const cases: readonly (readonly [flags: number, text: string])[] = [
  [0, "-"],
  [ResponseFlag.UpstreamConnectionFailure | ResponseFlag.UpstreamRetryLimitExceeded, "URX,UF"],
  [ResponseFlag.FaultInjected | ResponseFlag.DelayInjected, "DI,FI"],
];
for (const [flags, text] of cases) {
  test(`response flags ${flags} are printed as ${text}`, () =>
    assert.equal(formatResponseFlags(flags), text));
}

test("response flags in full are named as in Envoy, in the same order", () => {
  const flags = ResponseFlag.UpstreamConnectionFailure | ResponseFlag.UpstreamRetryLimitExceeded;
  assert.equal(formatLongResponseFlags(flags), "UpstreamRetryLimitExceeded,UpstreamConnectionFailure");
  assert.equal(formatLongResponseFlags(0), "-");
});
