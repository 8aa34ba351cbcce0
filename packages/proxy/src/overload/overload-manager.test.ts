import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricRegistry } from "@weft/base/metric-registry";
import { FakeClock } from "@weft/testkit/fake-clock";
import { EnvoyStats } from "../telemetry/envoy-stats.ts";
import { DescriptorGuard } from "./descriptor-guard.ts";
import { type MemoryReadings, memoryPressure, oldGenerationLimit, processMemory } from "./memory-pressure.ts";
import { OverloadManager } from "./overload-manager.ts";
import { defaultOverloadPlan, type OverloadPlan, scaledTrigger, thresholdTrigger } from "./overload-plan.ts";
import { OverloadState } from "./overload-state.ts";

const mib = 1024 * 1024;

function manager(plan: OverloadPlan, random = 0.5) {
  const clock = new FakeClock();
  const memory = { resident: 0, used: 0 };
  const readings: MemoryReadings = {
    residentBytes: () => memory.resident,
    allowedBytes: 200 * mib,
    heap: () => ({ usedBytes: memory.used, limitBytes: 100 * mib }),
  };
  const done: string[] = [];
  const state = new OverloadState(() => random);
  const registry = new MetricRegistry();
  const overload = new OverloadManager({
    clock,
    plan,
    state,
    stats: new EnvoyStats(registry),
    memory: readings,
    pauseAccepting: (isPaused) => done.push(isPaused ? "pause" : "resume"),
    releaseMemory: () => done.push("release"),
    report: (message) => done.push(message),
  });
  return {
    clock,
    fill(used: number) {
      memory.used = used * mib;
    },
    state,
    done,
    overload,
    gauge: (name: string, label: string) =>
      registry.gauge(`envoy_overload_${name}`, "", ["envoy_overload_name"]).with(label).value,
    async at(resident: number, used = 0) {
      memory.resident = resident * mib;
      memory.used = used * mib;
      await clock.advance(1_000);
    },
  };
}

test("without configuration, requests are refused before the group's or the heap's limit is reached", async () => {
  const m = manager(defaultOverloadPlan);
  await m.at(150, 80);
  assert.equal(m.state.isStressed, false);
  await m.at(185, 0);
  assert.equal(m.state.endsConnection(), true);
  assert.equal(m.state.refusesRequest(), false);
  await m.at(191, 0);
  assert.equal(m.state.refusesRequest(), true, "95 % of what the group allows");
  await m.at(100, 96);
  assert.equal(m.state.refusesRequest(), true, "95 % of the heap");
  await m.at(100, 50);
  assert.equal(m.state.isStressed, false);
  assert.ok(m.done.includes("release"), "free memory is given back first");
  assert.equal(m.done.at(-1), "overload action stop_accepting_requests is over");
});

const heap = { name: "heap", maxHeapBytes: 100 * mib };

test("a scaled trigger refuses a share, a threshold all or nothing, and statistics say how much", async () => {
  const plan: OverloadPlan = {
    refreshMs: 1_000,
    monitors: [heap],
    actions: [
      { name: "reject_incoming_connections", triggers: [scaledTrigger("heap", 0.5, 1)] },
      { name: "stop_accepting_connections", triggers: [thresholdTrigger("heap", 0.9)] },
    ],
  };
  const m = manager(plan, 0.3);
  await m.at(60);
  assert.equal(m.state.refusesConnection(), false, "20 %, and the dice say 30");
  await m.at(75);
  assert.equal(m.state.refusesConnection(), true);
  const rejects = "envoy.overload_actions.reject_incoming_connections";
  assert.equal(m.gauge("scale_percent", rejects), 50);
  assert.equal(m.gauge("active", rejects), 0);
  assert.equal(m.gauge("pressure", "heap"), 75);
  await m.at(95);
  await m.at(95);
  await m.at(10);
  assert.deepEqual(
    m.done.filter((what) => what === "pause" || what === "resume"),
    ["pause", "resume"],
  );
});

test("a fixed heap is measured by what is resident, not by the heap's own limit", () => {
  const readings: MemoryReadings = {
    residentBytes: () => 50 * mib,
    allowedBytes: 0,
    heap: () => ({ usedBytes: 99 * mib, limitBytes: 100 * mib }),
  };
  assert.equal(memoryPressure(readings, 100 * mib), 0.5);
  assert.equal(memoryPressure(readings, undefined), 0.99);
});

test("connections wait from an eighth before the last descriptor until there is room again", async () => {
  const clock = new FakeClock();
  let connections = 860;
  const told: boolean[] = [];
  const guard = new DescriptorGuard({
    clock,
    limit: 1_024,
    connections: () => connections,
    onShortage: (isShort) => told.push(isShort),
  });
  guard.saw(895);
  assert.deepEqual(told, []);
  guard.saw(896);
  guard.saw(897);
  assert.deepEqual(told, [true]);
  connections = 840;
  await clock.advance(1_000);
  assert.deepEqual(told, [true], "too little room to take any");
  connections = 828;
  await clock.advance(50);
  assert.deepEqual(told, [true, false]);
});

test("what a heap may hold is its limit without the young generation's part", () => {
  for (const [limit, flags, expected] of [
    [184, ["--max-semi-space-size=8", "--max-old-space-size=160"], 160],
    [352, ["--max_old_space_size=100", "--max-old-space-size=160"], 160],
    [4_120, ["--max-semi-space-size=8"], 4_096],
    [4_288, [], 4_096],
    [40, ["--max-semi-space-size=64"], 20],
  ] as const) {
    assert.equal(oldGenerationLimit(limit * mib, flags) / mib, expected, `${limit} ${flags}`);
  }
  const { usedBytes, limitBytes } = processMemory().heap();
  assert.ok(usedBytes > mib && usedBytes < limitBytes, `${usedBytes} of ${limitBytes}`);
});

test("what is nearly used up is looked at more often, and given back no more often than before", async () => {
  const m = manager(defaultOverloadPlan);
  await m.at(100, 80);
  m.fill(97);
  await m.clock.advance(50);
  assert.equal(m.state.refusesRequest(), true);
  for (let i = 0; i < 9; i++) await m.clock.advance(50);
  assert.equal(m.done.filter((what) => what === "release").length, 1);
  await m.clock.advance(50);
  assert.equal(m.done.filter((what) => what === "release").length, 2);
});
