import { UserError } from "@weft/base/errors";
import { Command } from "commander";
import { outputOption } from "../options/output-format.ts";
import { collect, parseDurationMs, parseRevision } from "../options/parse-values.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";
import { readFiles } from "./read-files.ts";
import { confirmationOf, keepOption, reportChange, type WaitFlags } from "./report-change.ts";

interface Flags extends WaitFlags {
  readonly state?: string;
  readonly output: string;
  readonly file?: readonly string[];
  readonly recursive?: boolean;
  readonly dryRun?: boolean;
  readonly ifRevision?: number;
}

export function command(): Command {
  return new Command("apply")
    .summary("apply Istio and Gateway API YAML, all of it or nothing")
    .description(
      "Checks the resources in the files against everything already applied, and applies all of them or none.\n" +
        "An error names its place as file:line:column and leaves the mesh as it was.",
    )
    .requiredOption("-f, --file <path>", "file, directory or - for stdin; repeatable", collect(String))
    .option("-R, --recursive", "also the files in directories below")
    .option("--dry-run", "check and say what would change, without changing it")
    .option(
      "--wait",
      "return when every proxy has acknowledged; undo it when one refuses, or not all have in time",
    )
    .addOption(keepOption())
    .option("--timeout <time>", "longest wait for --wait", parseDurationMs, 30_000)
    .option(
      "--if-revision <n>",
      "refuse to change what was changed after this revision, by somebody else",
      parseRevision,
    )
    .addOption(stateOption())
    .addOption(outputOption(["text", "json"]))
    .addHelpText(
      "after",
      "\nExample:\n  $ weft apply -f virtual-service-reviews-90-10.yaml --wait\n  $ weft apply -f mesh/ --dry-run",
    )
    .action(async (flags: Flags) => {
      const files = readFiles(flags.file ?? [], flags.recursive ?? false);
      if (files.length === 0)
        throw new UserError("-f names no file", { hint: "check the path", exitCode: 2 });
      const api = apiClient(flags);
      const { dryRun, ifRevision } = flags;
      const result = await api.apply({ files, dryRun, confirm: confirmationOf(flags) }, ifRevision);
      await reportChange(api, result, flags);
    });
}
