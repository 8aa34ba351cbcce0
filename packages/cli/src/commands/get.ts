import type { ResourceRecord } from "@weft/control/api/protocol";
import { Command } from "commander";
import { parseDocument } from "yaml";
import { outputOption, printJson } from "../options/output-format.ts";
import { parseKind } from "../options/resource-kind.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";
import { formatTable, terminalWidth } from "../output/table.ts";
import { formatAge } from "../output/units.ts";

interface Flags {
  readonly state?: string;
  readonly output?: string;
  readonly namespace?: string;
}

export function command(): Command {
  return new Command("get")
    .summary("show applied resources")
    .description("Lists resources, or shows one as it was written.")
    .argument("<kind>", "kind, e.g. VirtualService or vs, or all", (text) => parseKind(text) ?? "all")
    .argument("[name]", "one resource; shown as YAML unless -o says otherwise")
    .option("-n, --namespace <name>", 'namespace (default: all for a list, "default" for one)')
    .addOption(stateOption())
    .addOption(outputOption(["table", "yaml", "json"]).default(undefined))
    .addHelpText("after", "\nExample:\n  $ weft get all\n  $ weft get vs reviews -o yaml")
    .action(async (kind: string, name: string | undefined, flags: Flags) => {
      const api = apiClient(flags);
      if (name !== undefined && kind !== "all") {
        const record = await api.getResource({ kind, namespace: flags.namespace ?? "default", name });
        return print([record], flags.output ?? "yaml", record);
      }
      const { resources } = await api.listResources({
        kind: kind === "all" ? undefined : kind,
        namespace: flags.namespace,
      });
      const named = name === undefined ? resources : resources.filter((resource) => resource.name === name);
      if (named.length === 0)
        process.stderr.write("weft: nothing found; 'weft apply -f FILE' adds resources\n");
      print(named, flags.output ?? "table", named);
    });
}

/** As it was written; where the mesh has something to say of it, with its status. */
function yamlOf({ text, status }: ResourceRecord): string {
  if (!status) return text.replace(/\n*$/, "\n");
  const document = parseDocument(text);
  document.set("status", document.createNode(status, { flow: false }));
  return document.toString({ lineWidth: 0 });
}

/** Conditions that are well when they are not so. */
const warnings: ReadonlySet<string> = new Set(["Conflicted", "InsecureFrontendValidationMode"]);

/** "accepted", or the reasons why not; of all parents. */
function outcomeOf({ status }: ResourceRecord): string {
  if (!status) return "";
  if ("phase" in status) return status.phase;
  const conditions = partsOf(status).flatMap((part) => part.conditions);
  const isBad = ({ type, status: said }: (typeof conditions)[number]) =>
    (said === "True") === warnings.has(type);
  // What is bad when it is so tells it by its name.
  const word = ({ type, reason }: (typeof conditions)[number]) =>
    type === "InsecureFrontendValidationMode" ? type : reason;
  const reasons = new Set(conditions.flatMap((c) => (isBad(c) ? [word(c)] : [])));
  return reasons.size > 0 ? [...reasons].join(", ") : "accepted";
}

/** What of a status has conditions of its own. */
function partsOf(status: Exclude<ResourceRecord["status"], { readonly phase: string } | undefined>) {
  if ("parents" in status) return status.parents;
  return "ancestors" in status ? status.ancestors : [status, ...(status.listeners ?? [])];
}

function print(records: readonly ResourceRecord[], format: string, json: unknown): void {
  if (format === "json") {
    printJson(json);
    return;
  }
  if (format === "yaml") {
    process.stdout.write(records.map(yamlOf).join("---\n"));
    return;
  }
  const now = Date.now();
  const columns = [
    { title: "KIND", value: (record: ResourceRecord) => record.kind },
    { title: "NAMESPACE", value: (record: ResourceRecord) => record.namespace },
    { title: "NAME", value: (record: ResourceRecord) => record.name },
    {
      title: "REVISION",
      value: (record: ResourceRecord) => String(record.revision),
      align: "right" as const,
    },
    {
      title: "AGE",
      value: (record: ResourceRecord) => formatAge(now - record.changedAtMs),
      align: "right" as const,
    },
    ...(records.some(({ status }) => status) ? [{ title: "STATUS", value: outcomeOf }] : []),
    { title: "FROM", value: (record: ResourceRecord) => record.origin, canShrink: true },
  ];
  process.stdout.write(formatTable(columns, records, terminalWidth()));
}
