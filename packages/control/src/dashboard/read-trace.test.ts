import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiRefusal } from "../api/refusal.ts";
import { parseTrace, readTrace } from "./read-trace.ts";

const span = (
  spanID: string,
  parent: string | undefined,
  startTime: number,
  tags: Record<string, unknown> = {},
) => ({
  spanID,
  references: parent === undefined ? [] : [{ refType: "CHILD_OF", spanID: parent }],
  startTime,
  duration: 2_000,
  processID: "p1",
  operationName: `GET /${spanID}`,
  tags: Object.entries(tags).map(([key, value]) => ({ key, value })),
});
const answer = (...spans: unknown[]) =>
  JSON.stringify({ data: [{ processes: { p1: { serviceName: "reviews" } }, spans }] });

test("spans stand below their parents, in the order of their start", () => {
  const spans = parseTrace(
    answer(
      span("c", "a", 9_000),
      span("b", "a", 3_000, { "http.status_code": 503, response_flags: "UH" }),
      span("a", undefined, 1_000),
      span("d", "b", 4_000),
    ),
  );
  assert.deepEqual(
    spans.map(({ id, depth, startMs }) => [id, depth, startMs]),
    [
      ["a", 0, 0],
      ["b", 1, 2],
      ["d", 2, 3],
      ["c", 1, 8],
    ],
  );
  assert.deepEqual(spans[1]!.notes, ["status 503", "flags UH"]);
  assert.equal(spans[0]!.service, "reviews");
});

test("a parent that did not arrive makes a root, and a circle is left out", () => {
  assert.deepEqual(
    parseTrace(answer(span("a", "lost", 1), span("x", "y", 1), span("y", "x", 1))).map(({ id }) => id),
    ["a"],
  );
});

for (const text of [
  "",
  "nothing",
  "{}",
  '{"data":[]}',
  '{"data":[{"spans":[null,1,{"spanID":2}]}]}',
  '{"data":"x"}',
]) {
  test(`${JSON.stringify(text)} is no trace`, () => assert.deepEqual(parseTrace(text), []));
}

test("what is no trace id is never asked for", async () => {
  for (const id of ["", "../api/services", "x".repeat(32), "0".repeat(33)]) {
    await assert.rejects(
      readTrace("http://127.0.0.1:9", id),
      (error) => error instanceof ApiRefusal && error.status === 400,
    );
  }
});
