import assert from "node:assert/strict";
import { test } from "node:test";
import type { ObservedEvent, WatchPlan } from "@weft/xds/observed-request";
import { observedRequest } from "./observed-request-fixture.ts";
import { RecentLanes } from "./recent-lanes.ts";
import { RequestTap, tapLimit } from "./request-tap.ts";

function tapped(plan: WatchPlan) {
  const events: ObservedEvent[] = [];
  const tap = new RequestTap({ inbound: {}, ...plan }, (event) => events.push(event), tapLimit(plan, 0));
  return { tap, phases: () => events.map(({ phase }) => phase).join(" ") };
}

test("the beginning of a request that its answer chooses is made up for", () => {
  const { tap, phases } = tapped({ statusMin: 500 });
  const exchange = {};
  tap.offer("req", exchange, observedRequest({ status: 0 }), 0);
  assert.equal(phases(), "");
  tap.offer("rsp", exchange, observedRequest({ status: 503 }), 1);
  tap.offer("end", exchange, observedRequest({ status: 503 }), 2);
  assert.equal(phases(), "req rsp end");
});

test("a request that began before the watching is told from its beginning", () => {
  const { tap, phases } = tapped({});
  tap.offer("end", {}, observedRequest(), 0);
  assert.equal(phases(), "req rsp end");
});

test("over the limit requests are counted, all of each or nothing", () => {
  const { tap, phases } = tapped({ maxPerSecond: 1 });
  const [first, second, third] = [{}, {}, {}];
  for (const phase of ["req", "rsp", "end"] as const) {
    tap.offer(phase, first, observedRequest(), 10);
    tap.offer(phase, second, observedRequest(), 10);
  }
  assert.equal(phases(), "req rsp end");
  assert.equal(tap.limited, 1);
  tap.offer("end", third, observedRequest(), 1_500);
  assert.equal(phases(), "req rsp end req rsp end");
});

test("what failed is not driven out by what did not, and neither grows without end", () => {
  const lanes = new RecentLanes<string>(0);
  for (let i = 0; i < 100; i++) if (lanes.takes(true, i)) lanes.add(true, `failed ${i}`);
  for (let i = 0; i < 100_000; i++) if (lanes.takes(false, i * 20)) lanes.add(false, `fine ${i}`);
  assert.equal(lanes.all.filter((one) => one.startsWith("failed")).length, 100);
  assert.equal(lanes.all.length, 356);
  assert.ok(lanes.all.includes("fine 99999"));
});

test("of a busy proxy's requests only some are taken: what is kept reaches back seconds", () => {
  const lanes = new RecentLanes<number>(0);
  let taken = 0;
  for (let ms = 0; ms < 10_000; ms += 0.1) if (lanes.takes(false, ms)) taken += 1;
  assert.ok(taken <= 128 + 500, `${taken}`);
});
