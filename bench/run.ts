/**
 * `npm run bench`: weft proxy against real Envoy on the same bootstrap files,
 * one worker each, alternating runs. Stdout has the table, stderr the progress.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "@weft/base/errors";
import { setUpPeers } from "../tools/peers.ts";
import { benchCases } from "./cases.ts";
import { makeCertificates } from "./certificates.ts";
import { grpcMessage, grpcMessageFile } from "./load.ts";
import { measureCase } from "./measure.ts";
import { type BenchOptions, help, parseOptions } from "./options.ts";
import type { ProxyProgram } from "./processes.ts";
import { canRun, envoyProgram, findTools, otherPrograms, weftProgram } from "./programs.ts";
import { renderTable, summarize } from "./report.ts";
import { appendTrend } from "./trend.ts";

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  console.error(`bench: ${error.message}${error.hint ? `\n  ${error.hint}` : ""}`);
  process.exitCode = error.exitCode;
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") {
    console.log(help);
    return 0;
  }
  const tools = findTools();
  const { subject, usesSources } = options;
  if (subject === "weft" && !usesSources) build();
  const envoy = envoyProgram(tools.envoy);
  const programs = [envoy, programOf(subject, usesSources, envoy)];
  const directory = mkdtempSync(join(tmpdir(), "weft-bench-"));
  const summaries = [];
  try {
    makeCertificates(directory, tools.openssl);
    writeFileSync(join(directory, grpcMessageFile), grpcMessage);
    for (const one of benchCases) {
      if (!options.cases.includes(one.name) || !programs.every((program) => canRun(program, one))) continue;
      const result = await measureCase(one, programs, tools, options, directory, (text) =>
        console.error(`bench: ${text}`),
      );
      const summary = summarize(result);
      summaries.push({ ...summary, samples: result.samples });
      if (options.output === "table") console.log(renderTable(summary, options.rate));
    }
  } finally {
    if (options.keep) console.error(`bench: bootstraps and logs are in ${directory}`);
    else rmSync(directory, { recursive: true, force: true });
  }
  if (options.trend) appendTrend(options.trend, summaries, new Date());
  if (options.output === "json") {
    const { rounds, seconds, rate, connections } = options;
    const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
    console.log(JSON.stringify({ machine, rounds, seconds, rate, connections, cases: summaries }, null, 2));
  }
  return 0;
}

function programOf(
  subject: BenchOptions["subject"],
  usesSources: boolean,
  envoy: ProxyProgram,
): ProxyProgram {
  if (subject === "weft") return weftProgram(usesSources);
  if (subject === "envoy") return envoy;
  const missing = setUpPeers([subject]);
  if (missing.length > 0) throw new UserError(`${subject} is missing: ${missing.join("; ")}`);
  return otherPrograms[subject];
}

/** What users run is the bundle; a stale one would be measured without anybody noticing. */
function build(): void {
  const script = join(import.meta.dirname, "..", "tools", "build.ts");
  const result = spawnSync(process.execPath, [script], { stdio: ["ignore", 2, 2] });
  if (result.status !== 0)
    throw new UserError("the build failed", {
      hint: "its words are above; --sources measures without a build",
    });
}
