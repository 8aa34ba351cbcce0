import { formatDiagnostic } from "@weft/base/diagnostics";
import { UserError } from "@weft/base/errors";
import type { DiffResult, ProxyChange, ResourceDiff } from "@weft/control/api/change-protocol";
import type { JsonObject } from "@weft/control/api/protocol";
import { Command } from "commander";
import { stringify } from "yaml";
import { outputOption, printJson } from "../options/output-format.ts";
import { collect } from "../options/parse-values.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";
import { textDiff } from "../output/text-diff.ts";
import { readFiles } from "./read-files.ts";

/** As `diff` and `kubectl diff` exit when something differs. */
const differs = 1;
const maxNamed = 5;

interface Flags {
  readonly state?: string;
  readonly output: string;
  readonly file?: readonly string[];
  readonly recursive?: boolean;
  readonly proxies: boolean;
}

export function command(): Command {
  return new Command("diff")
    .summary("show what an apply would change")
    .description(
      "Compares the resources in the files with those in force, and what the proxies would be given with what\n" +
        "they have. Exits with 0 when nothing would change, with 1 when something would.",
    )
    .requiredOption("-f, --file <path>", "file, directory or - for stdin; repeatable", collect(String))
    .option("-R, --recursive", "also the files in directories below")
    .option("--no-proxies", "only what is written")
    .addOption(stateOption())
    .addOption(outputOption(["text", "json"]))
    .addHelpText(
      "after",
      "\nExample:\n  $ weft diff -f virtual-service-reviews-90-10.yaml\n  $ weft diff -f mesh/ -R --no-proxies",
    )
    .action(async (flags: Flags) => {
      const files = readFiles(flags.file ?? [], flags.recursive ?? false);
      if (files.length === 0)
        throw new UserError("-f names no file", { hint: "check the path", exitCode: 2 });
      const result = await apiClient(flags).diff({ files });
      const changed = result.resources.filter(({ action }) => action !== "unchanged");
      if (changed.length > 0) process.exitCode = differs;
      if (flags.output === "json") return printJson(result);
      for (const diagnostic of result.diagnostics) process.stderr.write(`${formatDiagnostic(diagnostic)}\n`);
      if (changed.length === 0) {
        process.stderr.write(`weft: nothing would change; revision ${result.revision} is in force\n`);
        return;
      }
      process.stdout.write(changed.map((one) => resourceText(one, result.revision)).join("\n"));
      if (flags.proxies) process.stdout.write(proxiesText(result));
    });
}

function resourceText({ kind, namespace, name, before, after }: ResourceDiff, revision: number): string {
  const title = `${kind} ${namespace}/${name}`;
  return textDiff(
    { title: before === undefined ? "nothing" : `${title} (revision ${revision})`, text: before ?? "" },
    { title, text: after ?? "" },
  );
}

function proxiesText({ proxies, unseen }: DiffResult): string {
  if (proxies.length === 0) return "\nNo connected proxy would be given anything else.\n";
  const shown = proxies.map(proxyText).join("\n");
  const more = [
    unseen.changes > 0 ? `${unseen.changes} more changes` : "",
    unseen.workloads > 0 ? `${unseen.workloads} more workloads` : "",
  ].filter((text) => text !== "");
  return `\nWhat proxies would be given:\n\n${shown}${more.length > 0 ? `\nNot shown: ${more.join(", ")}.\n` : ""}`;
}

function proxyText({ kind, name, action, workloads, before, after }: ProxyChange): string {
  const named = workloads.slice(0, maxNamed).join(", ");
  const who = workloads.length > maxNamed ? `${named} and ${workloads.length - maxNamed} more` : named;
  const diff = textDiff({ title: "now", text: yamlOf(before) }, { title: "then", text: yamlOf(after) });
  return `${kind} ${name} ${action}, for ${who}\n${diff}`;
}

function yamlOf(value: JsonObject | undefined): string {
  return value === undefined ? "" : stringify(value, { lineWidth: 0 });
}
