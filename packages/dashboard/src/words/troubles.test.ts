import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServiceRow } from "@weft/control/dashboard/view";
import { byTrouble, severityOf, troublesOf } from "./troubles.ts";

function service(name: string, more: Partial<ServiceRow> = {}): ServiceRow {
  return {
    namespace: "default",
    name,
    hostname: `${name}.default.svc.cluster.local`,
    isExternal: false,
    instances: 2,
    healthy: 2,
    meshed: 2,
    strict: 0,
    requestsPerSecond: 10,
    successRate: 1,
    tcpConnections: 0,
    ...more,
  };
}

test("a service without a healthy instance comes before one that fails, and that before a slow one", () => {
  const services = [
    service("calm"),
    service("busy", { requestsPerSecond: 500 }),
    service("slow", { p99Ms: 2_000 }),
    service("failing", { successRate: 0.7 }),
    service("down", { healthy: 0 }),
    service("refusing", { deniedPerSecond: 3 }),
  ];
  assert.deepEqual(
    byTrouble(services).map(({ name }) => name),
    ["down", "failing", "refusing", "slow", "busy", "calm"],
  );
});

const cases: readonly (readonly [what: string, more: Partial<ServiceRow>, severity: string, text: string])[] =
  [
    ["nothing wrong", {}, "good", ""],
    ["nobody calls", { requestsPerSecond: undefined, successRate: undefined }, "idle", ""],
    ["one call in a thousand fails", { successRate: 0.999 }, "good", ""],
    ["one call in a hundred fails", { successRate: 0.99 }, "warn", "1 % of calls fail"],
    ["half of the calls fail", { successRate: 0.5 }, "bad", "50 % of calls fail"],
    ["one instance of two is unhealthy", { healthy: 1 }, "warn", "1 of 2 unhealthy"],
    ["a full sidecar", { loopUtilization: 0.97 }, "warn", "sidecar 97 % busy"],
  ];
for (const [what, more, severity, text] of cases) {
  test(`${what}: ${severity}`, () => {
    assert.equal(severityOf(service("a", more)), severity);
    assert.equal(troublesOf(service("a", more))[0]?.text ?? "", text);
  });
}
