import { UserError } from "@weft/base/errors";
import type { ResourceVersionRecord } from "@weft/control/api/change-protocol";
import type { RevisionRecord } from "@weft/control/api/protocol";
import { Command } from "commander";
import { outputOption, printJson } from "../options/output-format.ts";
import { parseCount } from "../options/parse-values.ts";
import { parseKind } from "../options/resource-kind.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";
import { formatTable, terminalWidth } from "../output/table.ts";
import { textDiff } from "../output/text-diff.ts";
import { formatAge } from "../output/units.ts";

interface Flags {
  readonly state?: string;
  readonly output: string;
  readonly namespace: string;
  readonly limit: number;
  readonly diff?: boolean;
}

export function command(): Command {
  return new Command("history")
    .summary("who changed what, and when")
    .description("Lists the revisions of what was applied, or the versions of one resource, newest first.")
    .argument("[kind]", "kind of one resource, e.g. VirtualService or vs", (text) => parseKind(text) ?? "")
    .argument("[name]", "its name")
    .option("-n, --namespace <name>", "namespace of the resource", "default")
    .option("--limit <n>", "at most so many", parseCount, 20)
    .option("--diff", "of one resource: what each version changed")
    .addOption(stateOption())
    .addOption(outputOption())
    .addHelpText("after", "\nExample:\n  $ weft history\n  $ weft history vs reviews --diff")
    .action(async (kind: string | undefined, name: string | undefined, flags: Flags) => {
      const api = apiClient(flags);
      if (kind === undefined) {
        const revisions = await api.revisions(flags.limit);
        if (flags.output === "json") return printJson({ revisions });
        if (revisions.length === 0) process.stderr.write("weft: nothing was applied yet\n");
        process.stdout.write(formatTable(revisionColumns(Date.now()), revisions, terminalWidth()));
        return;
      }
      if (kind === "" || name === undefined) {
        throw new UserError("say which resource: KIND NAME", {
          hint: "as in: weft history VirtualService reviews",
          exitCode: 2,
        });
      }
      const versions = await api.versions({ kind, namespace: flags.namespace, name });
      const shown = versions.slice(0, flags.limit);
      if (flags.output === "json") return printJson({ versions: shown });
      if (flags.diff)
        process.stdout.write(shown.map((version, i) => diffOf(version, versions[i + 1])).join("\n"));
      else process.stdout.write(formatTable(versionColumns(Date.now()), shown, terminalWidth()));
    });
}

function revisionColumns(nowMs: number) {
  return [
    {
      title: "REVISION",
      value: (record: RevisionRecord) => String(record.revision),
      align: "right" as const,
    },
    {
      title: "AGE",
      value: (record: RevisionRecord) => formatAge(nowMs - record.atMs),
      align: "right" as const,
    },
    { title: "BY", value: (record: RevisionRecord) => record.author },
    {
      title: "CHANGES",
      value: ({ changes }: RevisionRecord) =>
        changes
          .map(({ kind, namespace, name, action }) => `${kind} ${namespace}/${name} ${action}`)
          .join(", "),
      canShrink: true,
    },
  ];
}

function versionColumns(nowMs: number) {
  type Row = ResourceVersionRecord;
  return [
    { title: "VERSION", value: (row: Row) => String(row.version), align: "right" as const },
    { title: "REVISION", value: (row: Row) => String(row.revision), align: "right" as const },
    { title: "AGE", value: (row: Row) => formatAge(nowMs - row.changedAtMs), align: "right" as const },
    { title: "BY", value: (row: Row) => row.author },
    { title: "ACTION", value: (row: Row) => row.action },
    { title: "FROM", value: (row: Row) => row.origin, canShrink: true },
  ];
}

function diffOf(version: ResourceVersionRecord, before: ResourceVersionRecord | undefined): string {
  const title = (record: ResourceVersionRecord | undefined) =>
    record ? `revision ${record.revision}` : "nothing";
  const isThere = (record: ResourceVersionRecord | undefined) => record && record.action !== "deleted";
  return textDiff(
    { title: title(before), text: isThere(before) ? before!.text : "" },
    { title: title(version), text: isThere(version) ? version.text : "" },
  );
}
