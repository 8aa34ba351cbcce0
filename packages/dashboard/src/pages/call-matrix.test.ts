import assert from "node:assert/strict";
import { test } from "node:test";
import { callMatrix } from "./call-matrix.ts";

const edge = (from: string, to: string, requestsPerSecond: number) => ({
  from,
  to,
  fromIdentity: "",
  toIdentity: "",
  requestsPerSecond,
  tcpConnections: 0,
});

test("rows and columns are in order of names, and a cell is what one called of the other", () => {
  const { callers, callees, cells, left } = callMatrix([
    edge("a/web", "a/reviews", 1),
    edge("a/api", "a/reviews", 5),
  ]);
  assert.deepEqual(callers, ["a/api", "a/web"]);
  assert.deepEqual(callees, ["a/reviews"]);
  assert.equal(cells.get("a/api")?.get("a/reviews")?.requestsPerSecond, 5);
  assert.equal(left, 0);
});

test("of too many the busiest are shown, and how many are not is said", () => {
  const edges = Array.from({ length: 50 }, (_, i) => edge(`a/caller-${i}`, "a/one", i));
  const { callers, left } = callMatrix(edges);
  assert.equal(callers.length, 24);
  assert.equal(left, 26);
  assert.ok(callers.includes("a/caller-49") && !callers.includes("a/caller-3"));
});
