import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "@weft/testkit/properties";
import { StreamsById } from "./streams-by-id.ts";

const identifier = fc.oneof(
  fc.integer({ min: 1, max: 300 }),
  fc.integer({ min: 0x7fff_ff00, max: 0x7fff_ffff }),
  fc.constantFrom(1, 65, 129, 257, 513),
);

test("whatever comes and goes, it holds what a map would hold", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), identifier), { maxLength: 300 }), (steps) => {
      const streams = new StreamsById<{ id: number }>();
      const model = new Map<number, { id: number }>();
      for (const [isAdded, id] of steps) {
        if (!isAdded) {
          streams.delete(id);
          model.delete(id);
        } else if (!model.has(id)) {
          const stream = { id };
          streams.add(stream);
          model.set(id, stream);
        }
        assert.equal(streams.get(id), model.get(id));
        assert.equal(streams.size, model.size);
      }
      const oldestFirst = [...model.values()].sort((one, other) => one.id - other.id);
      assert.deepEqual(streams.list(), oldestFirst);
      for (const stream of oldestFirst) assert.equal(streams.get(stream.id), stream);
    }),
  );
});

test("one that stays open does not hinder those that come and go around it", () => {
  const streams = new StreamsById<{ id: number }>();
  const lasting = { id: 1 };
  streams.add(lasting);
  for (let id = 3; id < 100_000; id += 2) {
    streams.add({ id });
    if (id > 21) streams.delete(id - 20);
  }
  assert.equal(streams.get(1), lasting);
  assert.equal(streams.size, 11);
});

test("the list is of the moment it was asked for", () => {
  const streams = new StreamsById<{ id: number }>();
  for (const id of [5, 1, 3]) streams.add({ id });
  const seen: number[] = [];
  for (const { id } of streams.list()) {
    seen.push(id);
    streams.delete(id);
  }
  assert.deepEqual(seen, [1, 3, 5]);
  assert.equal(streams.size, 0);
});

test("streams that are gone are collected young, also after the table itself grew old", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options?: { type: "minor" }) => void;
  const streams = new StreamsById<{ id: number; payload: number[] }>();
  let id = 1;
  const comeAndGo = (count: number) => {
    for (let i = 0; i < count; i++, id += 2) {
      streams.add({ id, payload: new Array(100).fill(id) });
      if (id > 161) streams.delete(id - 160);
    }
  };
  comeAndGo(1_000);
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 200; i++) {
    comeAndGo(100);
    collect({ type: "minor" });
  }
  // A Map keeps all of them here: 20,000 of 800 bytes and more.
  assert.ok(process.memoryUsage().heapUsed - before < 4_000_000);
});
