import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HeaderList } from "../layer/header-list.ts";
import { b3Propagation } from "./b3-context.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";
const parentId = "00000000000000aa";
const b3 = b3Propagation({ sharesSpans: true, hasLongIds: false });
const read = (...flat: string[]) => b3.read(new HeaderList(flat));
const context = (isSampled: boolean | undefined, parent = "") => ({
  traceId,
  spanId,
  parentId: parent,
  isSampled,
  traceState: "",
});

describe("B3", () => {
  const cases: readonly [what: string, flat: string[], expected: ReturnType<typeof context> | undefined][] = [
    ["nothing", [], undefined],
    ["one field", ["b3", `${traceId}-${spanId}-1-${parentId}`], context(true, parentId)],
    ["one field without a decision", ["b3", `${traceId}-${spanId}`], context(undefined)],
    ["one field that says no", ["b3", `${traceId}-${spanId}-0`], context(false)],
    ["one field, cut short", ["b3", `${traceId}-${spanId.slice(1)}-1`], undefined],
    ["one field of zeros", ["b3", `${"0".repeat(32)}-${spanId}-1`], undefined],
    ["one field twice", ["b3", `${traceId}-${spanId}-1`, "b3", `${traceId}-${spanId}-1`], undefined],
    [
      "several fields",
      ["x-b3-traceid", traceId, "x-b3-spanid", spanId, "x-b3-sampled", "true"],
      context(true),
    ],
    ["a trace without a span", ["x-b3-traceid", traceId], undefined],
    ["a span twice", ["x-b3-traceid", traceId, "x-b3-spanid", spanId, "x-b3-spanid", spanId], undefined],
    [
      "a parent that is none",
      ["x-b3-traceid", traceId, "x-b3-spanid", spanId, "x-b3-parentspanid", "zz"],
      context(undefined),
    ],
    ["upper case", ["x-b3-traceid", traceId.toUpperCase(), "x-b3-spanid", spanId], undefined],
  ];
  for (const [what, flat, expected] of cases) {
    it(`${what}: ${expected ? "is followed" : "begins a new trace"}`, () => {
      assert.deepEqual(read(...flat), expected);
    });
  }

  it("keeps a copy that is not to be sampled in its trace", () => {
    const single = new HeaderList(["b3", `${traceId}-${spanId}-1-${parentId}`]);
    b3.removeSampling(single);
    assert.equal(single.get("b3"), `${traceId}-${spanId}-0-${parentId}`);
    const several = new HeaderList(["x-b3-traceid", traceId, "x-b3-spanid", spanId, "x-b3-sampled", "1"]);
    b3.removeSampling(several);
    assert.equal(several.get("x-b3-sampled"), "0");
  });
});
