import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { checkMachine } from "../check/check-machine.ts";
import { checkMesh } from "../check/check-mesh.ts";
import type { CheckResult } from "../check/check-result.ts";
import { outputOption, printJson } from "../options/output-format.ts";
import { apiClient, resolveStateDir, stateOption } from "../options/state-dir.ts";

const marks = { ok: "✓", warning: "!", failure: "✗" } as const;

export function command(): Command {
  return new Command("check")
    .summary("find out what is missing or unwell, and what to do")
    .description(
      "Looks at this machine, the control plane and the mesh. Exits with 1 when something has failed.",
    )
    .option("--pre", "only this machine: before there is a control plane")
    .addOption(stateOption())
    .addOption(outputOption(["text", "json"]))
    .addHelpText("after", "\nExample:\n  $ weft check --pre\n  $ weft check -o json")
    .action(async (flags: { readonly state?: string; readonly output: string; readonly pre?: boolean }) => {
      const isHere = existsSync(join(resolveStateDir(flags.state), "api.sock"));
      const results = [
        ...(await checkMachine(isHere && !flags.pre)),
        ...(flags.pre ? [] : await checkMesh(apiClient(flags))),
      ];
      if (flags.output === "json") printJson({ isWell: isWell(results), results });
      else process.stdout.write(render(results));
      if (!isWell(results)) process.exitCode = 1;
    });
}

function isWell(results: readonly CheckResult[]): boolean {
  return results.every((result) => result.outcome !== "failure");
}

function render(results: readonly CheckResult[]): string {
  let group = "";
  let text = "";
  for (const result of results) {
    if (result.group !== group) {
      text += `${group === "" ? "" : "\n"}${result.group}\n`;
      group = result.group;
    }
    text += `${marks[result.outcome]} ${result.title}: ${result.detail}\n`;
    if (result.next) text += `    next: ${result.next}\n`;
  }
  return text;
}
