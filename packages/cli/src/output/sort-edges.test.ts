import assert from "node:assert/strict";
import { test } from "node:test";
import type { EdgeRow } from "@weft/control/api/protocol";
import { type SortKey, sortEdges } from "./sort-edges.ts";

const end = (name: string) => ({ namespace: "default", name, identity: "", isOutside: false });
const row = (name: string, more: Partial<EdgeRow>): EdgeRow => ({
  from: end("web"),
  to: end(name),
  tcpConnections: 0,
  ...more,
});
const rows = [
  row("b", { requestsPerSecond: 100, successRate: 0.99, p99Ms: 5 }),
  row("a", { requestsPerSecond: 10, successRate: 0, p99Ms: 50 }),
  row("d", { tcpConnections: 3 }),
  row("c", {}),
];
const orders: readonly (readonly [SortKey, string])[] = [
  ["rate", "bacd"],
  ["errors", "abcd"],
  ["latency", "abcd"],
  ["tcp", "dabc"],
  ["names", "abcd"],
];
for (const [by, order] of orders) {
  test(`sorted by ${by}, silent ones last and equal ones by name`, () => {
    assert.equal(
      sortEdges(rows, by)
        .map(({ to }) => to.name)
        .join(""),
      order,
    );
  });
}
