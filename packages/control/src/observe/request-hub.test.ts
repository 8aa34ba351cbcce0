import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { FakeClock } from "@weft/testkit/fake-clock";
import {
  type ControlMessage,
  EventsSchema,
  ObservedEventSchema,
  ObservedRequestSchema,
  RecalledSchema,
} from "@weft/xds/gen/weft/observe/v1/observe_pb";
import type { TapLine } from "../api/observe-protocol.ts";
import { RequestHub } from "./request-hub.ts";

function open(...workloads: readonly string[]) {
  const clock = new FakeClock();
  const hub = new RequestHub({ clock, workloadIds: () => workloads });
  const attach = (workload: string) => {
    const told: { readonly kind: ControlMessage["kind"]; readonly id: number }[] = [];
    const agent = hub.attach(workload, (kind, id) => told.push({ kind, id }));
    return { agent, told, kinds: () => told.map(({ kind }) => kind.case) };
  };
  return { clock, hub, attach };
}

function events(watch: number, ...ids: readonly string[]) {
  const list = ids.map((id) => fromJson(ObservedEventSchema, { phase: "end", request: { id } } as JsonValue));
  return create(EventsSchema, { watch, events: list });
}

test("nothing is asked of an agent until somebody watches, nor after", () => {
  const { hub, attach } = open("a", "b");
  const a = attach("a");
  assert.deepEqual(a.kinds(), []);
  const stop = hub.watch(
    (id) => (id === "a" || id === "c" ? { inbound: {} } : undefined),
    () => true,
  );
  const b = attach("b");
  const later = attach("c");
  stop();
  assert.deepEqual(a.kinds(), ["watch", "unwatch"]);
  assert.deepEqual(b.kinds(), []);
  assert.deepEqual(later.kinds(), ["watch", "unwatch"], "one that comes later is watched as well");
});

test("an agent shows its own requests to those who watch them, and nobody else's", () => {
  const { hub, attach } = open("a", "b");
  const lines: TapLine[] = [];
  const a = attach("a");
  const b = attach("b");
  hub.watch(
    (id) => (id === "a" ? { inbound: {} } : undefined),
    (line) => lines.push(line) > 0,
  );
  const { id } = a.told[0]!;
  b.agent.onEvents(events(id, "forged"));
  a.agent.onEvents(events(id + 1, "not asked for"));
  a.agent.onEvents(events(id, "7"));
  assert.deepEqual(lines[0], { watching: 1, unseen: [] });
  assert.deepEqual(
    lines.slice(1).map(({ workload, event }) => [workload, event?.request.id]),
    [["a", "7"]],
  );
});

test("what a viewer does not take is counted, and told when it reads again", async () => {
  const { hub, attach, clock } = open("a");
  const lines: TapLine[] = [];
  let reads = true;
  const a = attach("a");
  hub.watch(
    () => ({ inbound: {} }),
    (line) => reads && lines.push(line) > 0,
  );
  reads = false;
  a.agent.onEvents(events(a.told[0]!.id, "1", "2"));
  await clock.advance(1_000);
  reads = true;
  await clock.advance(1_000);
  assert.deepEqual(lines.at(-1), { lost: 2, limited: 0 });
  await clock.advance(5_000);
  assert.equal(lines.length, 2, "once");
});

test("a memory is asked of all, and those that are late, gone or absent are named", async () => {
  const { hub, attach, clock } = open("a", "b", "c", "d");
  const a = attach("a");
  const b = attach("b");
  attach("c");
  const answer = hub.recall(() => ({ requestId: "r" }));
  const { id } = a.told[0]!;
  const request = create(ObservedRequestSchema, { id: "1", startedMs: 5 });
  a.agent.onRecalled(create(RecalledSchema, { recall: id, requests: [request] }));
  a.agent.onRecalled(create(RecalledSchema, { recall: id, requests: [request] }));
  b.agent.detach();
  await clock.advance(3_000);
  const { requests, asked, unseen } = await answer;
  assert.deepEqual(
    requests.map(({ workload, request: one }) => [workload, one.id, one.status]),
    [["a", "1", 0]],
  );
  assert.equal(asked, 3);
  assert.deepEqual(unseen, ["b", "c", "d"]);
});

test("so many may watch, and one more is refused", () => {
  const { hub } = open();
  const stops = Array.from({ length: 64 }, () =>
    hub.watch(
      () => undefined,
      () => true,
    ),
  );
  assert.throws(
    () =>
      hub.watch(
        () => undefined,
        () => true,
      ),
    /64 people watch already/,
  );
  stops[0]!();
  hub.watch(
    () => undefined,
    () => true,
  );
});
