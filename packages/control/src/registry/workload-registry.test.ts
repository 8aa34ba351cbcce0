import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@weft/testkit/fake-clock";
import type { Workload } from "./workload.ts";
import { WorkloadRegistry, type WorkloadsChange } from "./workload-registry.ts";

function workload(name: string, changes: Partial<Workload> = {}): Workload {
  return {
    id: `${name}.default`,
    name,
    workloadName: name,
    namespace: "default",
    serviceAccount: "reviews",
    service: "reviews",
    labels: { app: "reviews" },
    addresses: ["10.0.0.1"],
    ports: [{ port: 9080, protocol: "http", name: "http", listenPort: 9080 }],
    interception: "REDIRECT",
    upstreams: [],
    isHealthy: false,
    hasSidecar: true,
    ...changes,
  };
}

function setUp(maxWorkloads = 3) {
  const clock = new FakeClock();
  const registry = new WorkloadRegistry({ clock, graceMs: 4_000, restartGraceMs: 20_000, maxWorkloads });
  const changes: WorkloadsChange[] = [];
  registry.onChange((change) => changes.push(change));
  return { clock, registry, changes };
}

function onlyOf(registry: WorkloadRegistry): Workload {
  const [only] = registry.workloads.values();
  return only!;
}

test("a registration is unhealthy until its agent reports health, and each change is told at once", () => {
  const { registry, changes } = setUp();
  const lease = registry.register(workload("a"));
  assert.equal(onlyOf(registry).isHealthy, false);
  lease.setHealth(true);
  assert.equal(onlyOf(registry).isHealthy, true);
  lease.setHealth(true);
  assert.equal(changes.length, 2, "an unchanged report changes nothing");
});

test("a registration outlives its stream by the grace and no longer", async () => {
  const { clock, registry, changes } = setUp();
  registry.register(workload("a")).end();
  await clock.advance(3_999);
  assert.equal(registry.workloads.size, 1);
  await clock.advance(1);
  assert.equal(registry.workloads.size, 0);
  assert.deepEqual(changes.at(-1)!.removed, ["a.default"]);
  assert.equal(clock.pendingTimers, 0);
});

test("a registration of an agent that was silent, though it was asked, ends soon after its stream", async () => {
  const { clock, registry } = setUp();
  registry.register(workload("a")).end("silence");
  await clock.advance(499);
  assert.equal(registry.workloads.size, 1, "for a way that has opened again");
  await clock.advance(1);
  assert.equal(registry.workloads.size, 0);
});

test("an agent that comes back within the grace keeps its registration and its health", async () => {
  const { clock, registry, changes } = setUp();
  const first = registry.register(workload("a"));
  first.setHealth(true);
  first.end();
  await clock.advance(2_000);
  registry.register(workload("a"));
  await clock.advance(60_000);
  assert.equal(onlyOf(registry).isHealthy, true);
  assert.equal(changes.length, 2, "a reconnect changes nothing for the others");
});

test("the end of an old stream does not end a registration that a newer stream holds", async () => {
  const { clock, registry } = setUp();
  const old = registry.register(workload("a"));
  const fresh = registry.register(workload("a"));
  old.setHealth(true);
  old.end();
  await clock.advance(60_000);
  assert.equal(registry.workloads.size, 1);
  assert.equal(onlyOf(registry).isHealthy, false, "the old stream no longer speaks for it");
  fresh.end();
  await clock.advance(4_000);
  assert.equal(registry.workloads.size, 0);
});

test("a name held by one identity is not taken over by another", () => {
  const { registry } = setUp();
  registry.register(workload("a"));
  assert.throws(() => registry.register(workload("a", { serviceAccount: "mallory" })), /another identity/);
  assert.equal(onlyOf(registry).serviceAccount, "reviews");
});

test("registrations beyond the limit are refused and the others stay", () => {
  const { registry } = setUp();
  for (const name of ["a", "b", "c"]) registry.register(workload(name));
  assert.throws(() => registry.register(workload("d")), /already holds 3 workloads/);
  assert.equal(registry.workloads.size, 3);
});

test("registrations of before a restart wait for their agents, then leave", async () => {
  const { clock, registry } = setUp();
  registry.restore([workload("a", { isHealthy: true }), workload("b", { isHealthy: true })]);
  registry.register(workload("a"));
  assert.equal(registry.get("a.default")!.isHealthy, true);
  assert.equal(registry.isConnected("b.default"), false);
  await clock.advance(20_000);
  assert.deepEqual([...registry.workloads.keys()], ["a.default"]);
});

const many = Array.from({ length: 40 }, (_, i) => workload(`w${i}`, { isHealthy: true }));

test("nobody is given up after a restart while agents still come back, and then all at once", async () => {
  const { clock, registry, changes } = setUp(100);
  registry.restore(many);
  for (const returning of many.slice(0, 5)) {
    await clock.advance(15_000);
    registry.register(returning);
    assert.equal(registry.workloads.size, 40, "those still in the queue are waited for");
  }
  const before = changes.length;
  await clock.advance(20_000);
  assert.equal(registry.workloads.size, 5);
  assert.equal(changes.length, before + 1);
  assert.equal(changes.at(-1)!.removed.length, 35);
  assert.equal(clock.pendingTimers, 0);
});

test("agents that trickle in do not keep up the registrations of those that are gone for ever", async () => {
  const { clock, registry } = setUp(100);
  registry.restore(many);
  for (const returning of many.slice(0, 10)) {
    await clock.advance(15_000);
    registry.register(returning);
  }
  assert.deepEqual([...registry.workloads.keys()].length, 10, "six times the grace are over");
});

test("when most streams end at once their agents are waited for as after a restart", async () => {
  const { clock, registry } = setUp(100);
  const leases = many.map((one) => registry.register(one));
  for (const lease of leases.slice(0, 30)) lease.end();
  await clock.advance(4_000);
  assert.equal(registry.workloads.size, 40, "rather the network than thirty workloads");
  for (const returning of many.slice(0, 20)) registry.register(returning);
  leases[39]!.end();
  await clock.advance(4_000);
  assert.equal(registry.get("w39.default"), undefined, "one by itself leaves as ever");
  await clock.advance(16_000);
  assert.equal(registry.workloads.size, 29);
});

test("maps handed out before a change are not touched by it", () => {
  const { registry } = setUp();
  const lease = registry.register(workload("a"));
  const before = registry.workloads;
  lease.setHealth(true);
  assert.equal(before.get("a.default")!.isHealthy, false);
  assert.notEqual(registry.workloads, before);
});
