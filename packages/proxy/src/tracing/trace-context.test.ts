import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { HeaderList } from "../layer/header-list.ts";
import { formatParent, newSpanId, newTraceId, readParent, removeSampling } from "./trace-context.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";
const parent = `00-${traceId}-${spanId}-01`;

describe("traceparent", () => {
  const cases: readonly [what: string, value: string, isSampled: boolean | undefined][] = [
    ["sampled", parent, true],
    ["not sampled", `00-${traceId}-${spanId}-00`, false],
    ["with flags of other meanings", `00-${traceId}-${spanId}-fe`, false],
    ["of a later version", `01-${traceId}-${spanId}-01`, true],
    ["of a later version that says more", `cc-${traceId}-${spanId}-01-what-else`, true],
    ["of a later version, longer without a dash", `cc-${traceId}-${spanId}-01what`, undefined],
    ["of this version that says more", `${parent}-what`, undefined],
    ["of a version that cannot be", `ff-${traceId}-${spanId}-01`, undefined],
    ["without a trace id", `00-${"0".repeat(32)}-${spanId}-01`, undefined],
    ["without a span id", `00-${traceId}-${"0".repeat(16)}-01`, undefined],
    ["in upper case", parent.toUpperCase(), undefined],
    ["cut short", parent.slice(0, -1), undefined],
    ["with a digit that is none", `00-${traceId.slice(1)}g-${spanId}-01`, undefined],
    ["with blanks", ` ${parent}`, undefined],
    ["empty", "", undefined],
    ["very long", "0".repeat(60_000), undefined],
  ];
  for (const [what, value, isSampled] of cases) {
    it(`${what}: ${isSampled === undefined ? "begins a new trace" : "is followed"}`, () => {
      const context = readParent(new HeaderList(["traceparent", value]));
      const expected =
        isSampled === undefined ? undefined : { traceId, spanId, parentId: "", isSampled, traceState: "" };
      assert.deepEqual(context, expected);
    });
  }

  it("twice begins a new trace, also where both say the same", () => {
    assert.equal(readParent(new HeaderList(["traceparent", parent, "traceparent", parent])), undefined);
  });

  it("is written as it is read", () => {
    assert.equal(formatParent(traceId, spanId, true), parent);
    assert.equal(formatParent(traceId, spanId, false), `00-${traceId}-${spanId}-00`);
  });

  it("of a copy that is not to be sampled keeps its trace", () => {
    const headers = new HeaderList(["traceparent", parent]);
    removeSampling(headers);
    assert.deepEqual(headers.flat, ["traceparent", `00-${traceId}-${spanId}-00`]);
  });
});

describe("tracestate", () => {
  const stateOf = (...values: string[]) =>
    readParent(new HeaderList(["traceparent", parent, ...values.flatMap((value) => ["tracestate", value])]))!
      .traceState;
  const cases: readonly [what: string, values: string[], expected: string][] = [
    ["one member", ["rojo=00f067aa0ba902b7"], "rojo=00f067aa0ba902b7"],
    ["of a tenant", ["1t@vendor=x"], "1t@vendor=x"],
    ["in several fields", ["a=1", "b=2,c=3"], "a=1,b=2,c=3"],
    ["with blanks and empty members", ["a=1, b=2,,"], "a=1, b=2,,"],
    [
      "of 32 members",
      [Array.from({ length: 32 }, (_, i) => `k${i}=v`).join(",")],
      Array.from({ length: 32 }, (_, i) => `k${i}=v`).join(","),
    ],
    ["of 33 members", [Array.from({ length: 33 }, (_, i) => `k${i}=v`).join(",")], ""],
    ["with a key in upper case", ["A=1"], ""],
    ["with a value too long", [`a=${"v".repeat(257)}`], ""],
    ["without a value", ["a"], ""],
    ["with a value that is none", ["a=b=c"], ""],
  ];
  for (const [what, values, expected] of cases) {
    it(`${what}: ${expected === "" ? "is dropped" : "is passed on"}`, () => {
      assert.equal(stateOf(...values), expected);
    });
  }
});

test("ids are hexadecimal, of their length, and differ", () => {
  const traces = new Set(Array.from({ length: 2_000 }, newTraceId));
  const spans = new Set(Array.from({ length: 2_000 }, newSpanId));
  assert.deepEqual([traces.size, spans.size], [2_000, 2_000]);
  for (const id of traces) assert.match(id, /^(?!0{32})[0-9a-f]{32}$/);
  for (const id of spans) assert.match(id, /^(?!0{16})[0-9a-f]{16}$/);
});
