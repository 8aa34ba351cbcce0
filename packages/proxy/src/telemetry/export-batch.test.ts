import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MetricRegistry } from "@weft/base/metric-registry";
import { FakeClock } from "@weft/testkit/fake-clock";
import { ExportBatch } from "./export-batch.ts";

function batcher(options: { readonly batchRecords?: number; readonly maxWaitingRecords?: number } = {}) {
  const clock = new FakeClock();
  const registry = new MetricRegistry();
  const written = registry.counter("written", "").with();
  const dropped = registry.counter("dropped", "").with();
  const sent: (readonly string[])[] = [];
  const answers: ((isDelivered: boolean) => void)[] = [];
  const batch = new ExportBatch<string>({
    clock,
    flushIntervalMs: 1_000,
    batchBytes: 100,
    ...options,
    written,
    dropped,
    send(records, done) {
      sent.push(records);
      answers.push(done);
    },
  });
  return { clock, batch, written, dropped, sent, answers };
}

describe("a batch of records", () => {
  it("is sent when it is full, or when its first record has waited long enough", async () => {
    const { batch, clock, sent } = batcher();
    batch.add("a", 60);
    await clock.advance(999);
    assert.deepEqual(sent, []);
    await clock.advance(1);
    assert.deepEqual(sent, [["a"]]);
    const other = batcher();
    other.batch.add("a", 60);
    other.batch.add("b", 60);
    assert.deepEqual(other.sent, [["a", "b"]]);
    assert.equal(other.clock.pendingTimers, 0);
  });

  it("waits for the one before it, and is bounded while it waits", () => {
    const { batch, sent, answers, written, dropped } = batcher();
    batch.add("first", 100);
    for (let i = 0; i < 1_100; i++) batch.add(`${i}`, 1_024);
    assert.equal(sent.length, 1);
    assert.equal(dropped.value, 76, "1 MiB may wait");
    answers[0]!(true);
    assert.equal(sent[1]!.length, 1_024);
    answers[1]!(true);
    assert.equal(written.value, 1_025);
  });

  it("may be bounded by the number of its records as well", () => {
    const { batch, sent, answers, dropped } = batcher({ batchRecords: 2, maxWaitingRecords: 3 });
    batch.add("a", 1);
    assert.equal(sent.length, 0);
    batch.add("b", 1);
    assert.deepEqual(sent, [["a", "b"]]);
    for (const record of ["c", "d", "e", "f"]) batch.add(record, 1);
    assert.equal(dropped.value, 1);
    answers[0]!(true);
    assert.deepEqual(sent[1], ["c", "d", "e"]);
  });

  it("that was not delivered is counted, and not sent again", async () => {
    const { batch, clock, sent, answers, written, dropped } = batcher();
    batch.add("a", 100);
    answers[0]!(false);
    assert.deepEqual([written.value, dropped.value], [0, 1]);
    batch.add("b", 10);
    await clock.advance(1_000);
    assert.deepEqual(sent, [["a"], ["b"]]);
  });
});
