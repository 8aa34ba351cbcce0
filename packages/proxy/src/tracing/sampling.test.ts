import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decideTrace, markRequestId, type SamplingShares, type TraceReason } from "./sampling.ts";

const share = (percent: number) => ({ numerator: percent * 100, denominator: 10_000 });
const shares = (client: number, random: number, overall: number): SamplingShares => ({
  client: share(client),
  random: share(random),
  overall: share(overall),
});
/** The id is in the first `bucket / 100` percent. */
const id = (bucket: number, version = "4") =>
  `${bucket.toString(16).padStart(8, "0")}-6d51-${version}f6c-a3a4-a3a6a5a4a3a2`;

describe("whether a request is traced", () => {
  const cases: readonly [string, string, boolean, SamplingShares, TraceReason][] = [
    ["everything", id(9_999), false, shares(100, 100, 100), "random-sampling"],
    ["nothing", id(0), false, shares(100, 0, 100), "not-traceable"],
    ["an id within the share", id(99), false, shares(100, 1, 100), "random-sampling"],
    ["an id outside the share", id(100), false, shares(100, 1, 100), "not-traceable"],
    ["an id that was chosen before", id(100, "9"), false, shares(100, 1, 100), "random-sampling"],
    ["an id that was forced before", id(100, "a"), false, shares(100, 1, 100), "service-forced"],
    ["an id that a client chose before", id(100, "b"), false, shares(100, 1, 100), "client-enabled"],
    ["a client that asks", id(100), true, shares(100, 1, 100), "client-enabled"],
    ["a client that asks in vain", id(100), true, shares(0, 1, 100), "not-traceable"],
    ["more than may be traced over all", id(50, "9"), false, shares(100, 100, 0.5), "not-traceable"],
    ["as much as may be traced over all", id(49, "9"), false, shares(100, 100, 0.5), "random-sampling"],
    ["no id", "", true, shares(100, 100, 100), "not-traceable"],
    ["an id that is no UUID", "mine", false, shares(100, 100, 100), "not-traceable"],
  ];
  for (const [what, requestId, isClientTraced, given, expected] of cases) {
    it(`${what}: ${expected}`, () => {
      assert.equal(
        decideTrace(requestId, isClientTraced, given, () => 0.5),
        expected,
      );
    });
  }
});

describe("a request id", () => {
  it("carries the decision to the next proxy", () => {
    for (const reason of ["random-sampling", "service-forced", "client-enabled"] as const) {
      const marked = markRequestId(id(9_999), reason);
      assert.equal(decideTrace(marked, false, shares(0, 0, 100), Math.random), reason);
    }
    assert.equal(markRequestId(id(1, "9"), "not-traceable"), id(1));
  });

  it("that is no UUID is left as it is", () => {
    assert.equal(markRequestId("mine", "random-sampling"), "mine");
  });
});
