import assert from "node:assert/strict";
import { test } from "node:test";
import type { EdgeRow, StatsRow } from "@weft/control/api/protocol";
import { statsOfEdges } from "./stats-of-edges.ts";

const row = (name: string): StatsRow => ({
  name,
  namespace: "default",
  service: name,
  version: "",
  meshed: 1,
  instances: 2,
  requestsPerSecond: 100,
  p99Ms: 9,
  tcpConnections: 7,
  peers: [],
  identity: `spiffe://cluster.local/ns/default/sa/${name}`,
});
const end = (name: string, isOutside = false) => ({
  namespace: isOutside ? "" : "default",
  name,
  identity: "",
  isOutside,
});
const edge = (from: string, to: string, requestsPerSecond: number): EdgeRow => ({
  from: end(from, from === "unknown"),
  to: end(to),
  requestsPerSecond,
  tcpConnections: 0,
});
const report = {
  windowSeconds: 10,
  rows: [edge("web", "reviews", 4), edge("web", "details", 5), edge("unknown", "reviews", 6)],
};
const rows = ["web", "reviews", "details"].map(row);

const cases: readonly (readonly [
  what: string,
  ends: { from?: string; to?: string },
  expected: [string, number][],
])[] = [
  [
    "--from shows what it calls",
    { from: "web" },
    [
      ["reviews", 4],
      ["details", 5],
    ],
  ],
  [
    "--to shows who calls it",
    { to: "default/reviews" },
    [
      ["web", 4],
      ["unknown", 6],
    ],
  ],
  ["both show the called one", { from: "web", to: "reviews" }, [["reviews", 4]]],
];
for (const [what, ends, expected] of cases) {
  test(what, () => {
    const found = statsOfEdges(rows, report, ends);
    assert.deepEqual(
      found.map(({ name, requestsPerSecond }) => [name, requestsPerSecond]),
      expected,
    );
  });
}

test("signals are those of the edge alone, also where it has none", () => {
  const [found] = statsOfEdges(rows, report, { from: "web", to: "reviews" });
  assert.equal(found!.p99Ms, undefined);
  assert.equal(found!.tcpConnections, 0);
  assert.equal(`${found!.meshed}/${found!.instances}`, "1/2");
});
