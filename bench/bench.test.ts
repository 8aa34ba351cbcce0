import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { UserError } from "@weft/base/errors";
import { findProgram } from "../tools/peers.ts";
import { benchCases } from "./cases.ts";
import { percentile } from "./load.ts";
import { fillBootstrap, type Sample } from "./measure.ts";
import { parseOptions } from "./options.ts";
import { cpuMicroseconds, residentBytes } from "./processes.ts";
import { renderTable, summarize } from "./report.ts";

const sample = (cpuPerRequestUs: number): Sample => ({
  cpuPerRequestUs,
  requestsPerSecond: 1_000,
  p50Ms: 0.25,
  p99Ms: 1,
  rssMb: 70,
});

describe("the benchmark's report", () => {
  const summary = summarize({
    name: "x",
    title: "X",
    samples: { envoy: [40, 50, 60].map(sample), weft: [20, 30, 30].map(sample) },
  });

  it("takes the ratio round by round and gives median, smallest and largest", () => {
    assert.deepEqual(summary.metrics.cpuPerRequestUs?.ratio, { median: 0.5, min: 0.5, max: 0.6 });
    assert.equal(summary.metrics.cpuPerRequestUs?.baseline.median, 50);
  });

  it("prints one line per figure", () => {
    const lines = renderTable(summary, 1_000).split("\n");
    assert.equal(lines[0], "X");
    assert.match(lines[2]!, /CPU per request, µs +50\.0 +30\.0 +0\.50 \(0\.50–0\.60\)/);
  });
});

it("a percentile is a value that was measured", () => {
  const values = Array.from({ length: 100 }, (_, i) => i + 1);
  assert.deepEqual([percentile(values, 0.5), percentile(values, 0.99), percentile([3], 0.99)], [50, 99, 3]);
});

it("every case's bootstraps are there and ask for nothing that is not filled in", () => {
  const ports = { LISTEN_PORT: 1, ADMIN_PORT: 2, NEXT_PORT: 3 };
  const values = { ...ports, DIRECTORY: "/d", CERTIFICATES: "/c", NEXT_PROTOCOL: "p", ALPN: "h2" };
  for (const { hops } of benchCases) {
    for (const hop of hops) {
      const text = readFileSync(join(import.meta.dirname, "bootstraps", hop.bootstrap), "utf8");
      assert.doesNotMatch(fillBootstrap(text, { ...values, ...hop.values?.() }), /\$[A-Z]/);
    }
  }
  assert.throws(() => fillBootstrap("$OTHER$", values), /\$OTHER\$/);
});

it("runs in its short form, and leaves a line in the trend", {
  skip: findProgram("envoy") ? false : "no envoy",
}, () => {
  // Kept where `WEFT_TREND` says, so that a series of runs can be looked at.
  const directory = mkdtempSync(join(tmpdir(), "weft-trend-"));
  const file = process.env.WEFT_TREND ?? join(directory, "trend.jsonl");
  try {
    const args = [join(import.meta.dirname, "run.ts"), "--quick", "--sources"];
    const cases = ["http1-plain", "http1-over-http2"].flatMap((name) => ["--case", name]);
    const run = spawnSync(process.execPath, [...args, ...cases, "--trend", file], { encoding: "utf8" });
    assert.equal(run.status, 0, run.stderr);
    const lines = readFileSync(file, "utf8").trimEnd().split("\n").slice(-2);
    const trend = lines.map((line) => JSON.parse(line) as { case: string; ratios: { rssMb: number } });
    assert.deepEqual(
      trend.map((line) => line.case),
      ["http1-plain", "http1-over-http2"],
    );
    for (const { ratios } of trend) assert.ok(ratios.rssMb > 0);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

describe("the benchmark's options", () => {
  it("have defaults, and --quick makes it short", () => {
    const options = parseOptions(["--quick", "--case", "http1-plain"]);
    assert.ok(options !== "help");
    assert.deepEqual(
      [options.rounds, options.seconds, options.rate, options.cases],
      [1, 2, 1_000, ["http1-plain"]],
    );
  });

  for (const args of [["--case", "none"], ["--rounds", "0"], ["--subject", "x"], ["-o", "xml"], ["--what"]]) {
    it(`${args.join(" ")} is refused by name`, () => {
      assert.throws(
        () => parseOptions(args),
        (error) =>
          error instanceof UserError && error.exitCode === 2 && error.message.includes(args[0]!.slice(0, 6)),
      );
    });
  }
});

it("CPU and memory are read from /proc", { skip: process.platform !== "linux" && "needs /proc" }, () => {
  assert.ok(cpuMicroseconds(process.pid) > 0);
  assert.ok(residentBytes(process.pid) > 1e6);
});
