import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import type { AuditEntry } from "../store/audit-entry.ts";
import { AttemptRecord } from "./attempt-record.ts";

test("noise is counted and not written, and what was done always is", async () => {
  const clock = new FakeClock();
  const entries: AuditEntry[] = [];
  const record = new AttemptRecord({ append: (entry) => void entries.push(entry) }, clock);
  const refused = {
    caller: undefined,
    address: "10.0.0.1",
    what: "x",
    refusal: { status: 401, problem: "no" },
  };
  for (let i = 0; i < 500; i++) record.add(refused);
  assert.equal(entries.length, 100);
  record.add({ ...refused, address: "10.0.0.2" });
  assert.match(entries.at(-1)!.refusal!, /^401: no \(400 more were refused before, and not written\)$/);
  for (let address = 3; address < 3_000; address++) record.add({ ...refused, address: `${address}` });
  assert.equal(entries.length, 1_000, "of all addresses together, too");
  const caller = { name: "ada", proof: "token", role: "admin", address: "10.0.0.9" } as const;
  record.add({ caller, address: "10.0.0.9", what: "startRollout /api/v1/rollouts" });
  assert.deepEqual(entries.at(-1), {
    atMs: clock.now(),
    event: "operation",
    subject: "startRollout /api/v1/rollouts",
    authorizedBy: "operator ada (token)",
    address: "10.0.0.9",
  });
});
