import { formatDiagnostic } from "@weft/base/diagnostics";
import { UserError } from "@weft/base/errors";
import { Command } from "commander";
import { outputOption, printJson } from "../options/output-format.ts";
import { collect, parseDurationMs } from "../options/parse-values.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";
import { readFiles } from "./read-files.ts";
import { waitForSync } from "./wait-for-sync.ts";

interface Flags {
  readonly state?: string;
  readonly output: string;
  readonly file?: readonly string[];
  readonly recursive?: boolean;
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly timeout: number;
}

export function command(): Command {
  return new Command("apply")
    .summary("apply Istio YAML, all of it or nothing")
    .description(
      "Checks the resources in the files against everything already applied, and applies all of them or none.\n" +
        "An error names its place as file:line:column and leaves the mesh as it was.",
    )
    .requiredOption("-f, --file <path>", "file, directory or - for stdin; repeatable", collect(String))
    .option("-R, --recursive", "also the files in directories below")
    .option("--dry-run", "check and say what would change, without changing it")
    .option("--wait", "return when every proxy has acknowledged")
    .option("--timeout <time>", "longest wait for --wait", parseDurationMs, 30_000)
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
      const result = await api.apply({ files, dryRun: flags.dryRun });
      for (const diagnostic of result.diagnostics) process.stderr.write(`${formatDiagnostic(diagnostic)}\n`);
      if (flags.output !== "json") {
        const suffix = result.dryRun ? " (dry run)" : "";
        for (const { kind, namespace, name, action } of result.resources) {
          process.stdout.write(`${kind} ${namespace}/${name} ${action}${suffix}\n`);
        }
      }
      const sync =
        flags.wait && !result.dryRun ? await waitForSync(api, result.revision, flags.timeout) : undefined;
      if (flags.output === "json") printJson(sync ? { ...result, sync } : result);
    });
}
