import assert from "node:assert/strict";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { Counter, MetricRegistry } from "@weft/base/metric-registry";
import { FakeClock } from "@weft/testkit/fake-clock";
import { AccessLogs } from "./access-log.ts";
import { EnvoyStats } from "./envoy-stats.ts";
import { exchange } from "./exchange-fixture.ts";
import { LogSink } from "./log-sink.ts";

const directory = mkdtempSync(join(tmpdir(), "weft-log-"));
after(() => rmSync(directory, { recursive: true }));

let files = 0;

function setUp(options: { readonly flushBytes?: number; readonly maxWaitingBytes?: number } = {}) {
  const path = join(directory, `${files++}.log`);
  const clock = new FakeClock();
  const stats = {
    lines: new Counter(),
    flushes: new Counter(),
    failures: new Counter(),
    lostLines: new Counter(),
    timedFlushes: new Counter(),
    reopenFailures: new Counter(),
  };
  const sink = new LogSink({ path }, { clock, stats, ...options });
  /** Waits for what the sink has handed to the kernel. */
  const settled = async (flushes: number) => {
    while (stats.flushes.value + stats.failures.value < flushes) await new Promise(setImmediate);
  };
  return { path, clock, stats, sink, settled, read: () => readFileSync(path, "utf8") };
}

describe("a log file", () => {
  it("gets its lines in one write after a second", async () => {
    const { sink, clock, settled, stats, read } = setUp();
    sink.write("one\n");
    sink.write("two\n");
    await clock.advance(999);
    assert.equal(read(), "");
    await clock.advance(1);
    await settled(1);
    assert.equal(read(), "one\ntwo\n");
    assert.equal(stats.lines.value, 2);
    assert.equal(clock.pendingTimers, 0);
  });

  it("gets them earlier when enough have gathered", async () => {
    const { sink, settled, read } = setUp({ flushBytes: 8 });
    sink.write("1234\n");
    sink.write("5678\n");
    await settled(1);
    assert.equal(read(), "1234\n5678\n");
  });

  it("is written to the end when the process closes it", () => {
    const { sink, read, stats } = setUp();
    sink.write("last\n");
    sink.close();
    assert.equal(read(), "last\n");
    sink.write("too late\n");
    assert.equal(stats.lostLines.value, 1);
  });

  it("goes on under its name after it was moved away", async () => {
    const { sink, path, settled, read } = setUp();
    sink.write("old\n");
    renameSync(path, `${path}.1`);
    sink.reopen();
    sink.write("new\n");
    sink.flush();
    await settled(2);
    assert.equal(readFileSync(`${path}.1`, "utf8"), "old\n");
    assert.equal(read(), "new\n");
  });

  it("gets nothing of a line that broke off, and all of lines in any script", async () => {
    const { sink, settled, read } = setUp({ flushBytes: 16 });
    sink.beginLine()!.put("half a li");
    sink.dropLine();
    const line = "\u00e9 \u20ac \u{1f642} ".repeat(2_000);
    sink.write(`${line}\n`);
    await settled(1);
    assert.equal(read(), `${line}\n`);
  });

  it("loses lines rather than memory, and counts them", () => {
    const { sink, stats } = setUp({ maxWaitingBytes: 10 });
    sink.write("12345678\n");
    sink.write("9\n");
    assert.equal(stats.lines.value, 1);
    assert.equal(stats.lostLines.value, 1);
    sink.close();
  });
});

describe("a full disk", () => {
  it("costs the lines, which are counted, and nothing else", async () => {
    const descriptor = openSync("/dev/full", constants.O_WRONLY);
    const stats = {
      lines: new Counter(),
      flushes: new Counter(),
      failures: new Counter(),
      lostLines: new Counter(),
      timedFlushes: new Counter(),
      reopenFailures: new Counter(),
    };
    const sink = new LogSink({ descriptor }, { clock: new FakeClock(), stats });
    sink.write("a\n");
    sink.write("b\n");
    sink.flush();
    while (stats.failures.value === 0) await new Promise(setImmediate);
    assert.equal(stats.lostLines.value, 2);
    sink.write("c\n");
    sink.close();
    assert.equal(stats.lostLines.value, 3);
    closeSync(descriptor);
  });
});

describe("access logs", () => {
  const create = () => new AccessLogs(new FakeClock(), new EnvoyStats(new MetricRegistry()));

  it("that name the same file share it, each with its own format and filter", () => {
    const logs = create();
    const path = join(directory, "shared.log");
    const sink = { kind: "file", path } as const;
    const text = (format: string) => ({ kind: "text", format, omitEmptyValues: false }) as const;
    const all = logs.create({ sink, format: text("%RESPONSE_CODE%\n"), filter: undefined });
    const errors = logs.create({
      sink,
      format: text("error\n"),
      filter: (exchange) => (exchange.response?.status ?? 0) >= 500,
    });
    for (const log of [all, errors]) log.log(exchange());
    logs.close();
    assert.equal(readFileSync(path, "utf8"), "200\n");
  });

  it("that cannot be opened say which file and what to do", () => {
    const path = join(directory, "no", "such", "access.log");
    assert.throws(
      () => create().create({ sink: { kind: "file", path }, format: { kind: "default" }, filter: undefined }),
      (error: Error & { hint?: string }) =>
        error.message.includes(path) && error.hint?.includes("create its directory") === true,
    );
  });
});
