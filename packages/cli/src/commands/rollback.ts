import { UserError } from "@weft/base/errors";
import type { ApiClient } from "@weft/control/api/client";
import type { ResourceKey } from "@weft/control/api/protocol";
import { Command } from "commander";
import { outputOption } from "../options/output-format.ts";
import { parseDurationMs, parseRevision } from "../options/parse-values.ts";
import { parseKind } from "../options/resource-kind.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";
import { confirmationOf, keepOption, reportChange, type WaitFlags } from "./report-change.ts";

interface Flags extends WaitFlags {
  readonly state?: string;
  readonly output: string;
  readonly namespace: string;
  readonly to?: number;
  readonly dryRun?: boolean;
}

export function command(): Command {
  return new Command("rollback")
    .summary("go back to an earlier revision")
    .description(
      "Makes what was applied what it was at an earlier revision: as a new revision, checked like any apply.\n" +
        "Without --to it undoes the newest revision, or the newest change of the one resource that is named.",
    )
    .argument("[kind]", "kind of one resource, e.g. VirtualService or vs", (text) => parseKind(text) ?? "")
    .argument("[name]", "its name")
    .option("-n, --namespace <name>", "namespace of the resource", "default")
    .option("--to <revision>", "the revision to go back to; 'weft history' lists them", parseRevision)
    .option("--dry-run", "say what would change, without changing it")
    .option(
      "--wait",
      "return when every proxy has acknowledged; undo it when one refuses, or not all have in time",
    )
    .addOption(keepOption())
    .option("--timeout <time>", "longest wait for --wait", parseDurationMs, 30_000)
    .addOption(stateOption())
    .addOption(outputOption(["text", "json"]))
    .addHelpText(
      "after",
      "\nExample:\n  $ weft rollback --wait\n  $ weft rollback --to 12 --dry-run\n  $ weft rollback vs reviews",
    )
    .action(async (kind: string | undefined, name: string | undefined, flags: Flags) => {
      const api = apiClient(flags);
      const resource = resourceOf(kind, name, flags.namespace);
      const revision = flags.to ?? (await revisionBefore(api, resource));
      const result = await api.rollback({
        revision,
        resource,
        dryRun: flags.dryRun,
        confirm: confirmationOf(flags),
      });
      if (result.resources.length === 0) {
        process.stderr.write(`weft: nothing has changed since revision ${revision}\n`);
      }
      await reportChange(api, result, flags);
    });
}

function resourceOf(
  kind: string | undefined,
  name: string | undefined,
  namespace: string,
): ResourceKey | undefined {
  if (kind === undefined) return undefined;
  if (kind !== "" && name !== undefined) return { kind, namespace, name };
  throw new UserError("say which resource: KIND NAME, or none for the whole configuration", {
    hint: "as in: weft rollback VirtualService reviews",
    exitCode: 2,
  });
}

/** The revision before the newest change. */
async function revisionBefore(api: ApiClient, resource: ResourceKey | undefined): Promise<number> {
  const [newest] = resource ? await api.versions(resource) : await api.revisions(1);
  if (newest) return newest.revision - 1;
  throw new UserError("nothing was ever applied", { hint: "'weft apply -f FILE' applies resources" });
}
