import { Command } from "commander";
import { outputOption, printJson } from "../options/output-format.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";
import { formatReplay, replaySummary } from "../replay/format-replay.ts";
import { logLines } from "../replay/log-lines.ts";
import { CallRecord } from "../replay/recorded-calls.ts";
import { replayCalls } from "../replay/replay-calls.ts";
import { replayFiles, replayLive } from "../replay/replayed-mesh.ts";
import { readFiles } from "./read-files.ts";

interface Flags {
  readonly policy: readonly string[];
  readonly mesh?: readonly string[];
  readonly exitCode?: boolean;
  readonly trustDomain: string;
  readonly state?: string;
  readonly output: string;
}

export function command(): Command {
  return new Command("replay")
    .summary("say which recorded calls a change would treat otherwise")
    .description(
      "Asks the mesh as it is, and as it would be with the resources of --policy, about every call of access logs\n" +
        "(Istio's text format, which is Weft's, or its JSON), and says what would differ: denied, allowed, rerouted,\n" +
        "answered. Callers are known by their address, or where WORKLOAD= says whose proxy wrote the log.",
    )
    .argument("<[workload=]log...>", "access logs; - for stdin")
    .requiredOption("--policy <path...>", "changed resources: they replace those of the same name")
    .option("--mesh <path...>", "YAML of the mesh as it is, instead of the running one")
    .option("--exit-code", "exit with 1 where anything would differ")
    .option("--trust-domain <name>", "of identities, with --mesh", "cluster.local")
    .addOption(stateOption())
    .addOption(outputOption(["text", "json"]))
    .addHelpText(
      "after",
      "\nExample:\n  $ weft replay reviews=reviews.log productpage=productpage.log --policy new.yaml\n" +
        "  $ weft replay ratings=ratings.log --policy new.yaml --mesh mesh/",
    )
    .action(async (logs: readonly string[], flags: Flags) => {
      const changed = readFiles(flags.policy, true);
      const { before, after } = flags.mesh
        ? replayFiles(readFiles(flags.mesh, true), changed, flags.trustDomain)
        : await replayLive(apiClient(flags), changed);
      const record = await readLogs(logs);
      const report = await replayCalls(record.calls, before, after);
      if (flags.output === "json") printJson({ ...report, skippedLines: record.skipped });
      else process.stdout.write(formatReplay(report));
      const skipped = record.skipped > 0 ? `; ${record.skipped} lines are no requests` : "";
      process.stderr.write(`weft: ${replaySummary(report)}${skipped}\n`);
      if (flags.exitCode && report.differences.length > 0) process.exitCode = 1;
    });
}

async function readLogs(logs: readonly string[]): Promise<CallRecord> {
  const record = new CallRecord();
  for await (const { text, workload } of logLines(logs)) record.add(text, workload);
  return record;
}
