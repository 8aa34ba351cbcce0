import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceEdge } from "@weft/control/dashboard/view";
import { edgeLook } from "./edge-look.ts";

const cases: readonly (readonly [
  edge: Partial<ServiceEdge>,
  kind: string,
  label: string,
  trouble: string,
])[] = [
  [{ requestsPerSecond: 12, successRate: 1, p99Ms: 4 }, "good", "12/s · 4.0 ms", ""],
  [{ requestsPerSecond: 12, successRate: 0.98 }, "warn", "12/s", "2 % fail"],
  [{ requestsPerSecond: 12, successRate: 0.5 }, "bad", "12/s", "50 % fail"],
  [{ requestsPerSecond: 12, successRate: 1, deniedPerSecond: 12 }, "denied", "12/s", "12/s refused"],
  [{ tcpConnections: 3 }, "tcp", "TCP, 3 open", ""],
];
for (const [edge, kind, label, trouble] of cases) {
  test(`${JSON.stringify(edge)} looks ${kind} and says so`, () => {
    const look = edgeLook({
      from: "a/a",
      to: "a/b",
      fromIdentity: "",
      toIdentity: "",
      tcpConnections: 0,
      ...edge,
    });
    assert.equal(look.kind, kind);
    assert.deepEqual([look.label, look.trouble], [label, trouble]);
  });
}
