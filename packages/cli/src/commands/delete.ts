import { Diagnostics, formatDiagnostic } from "@weft/base/diagnostics";
import { UserError } from "@weft/base/errors";
import type { ResourceKey } from "@weft/control/api/protocol";
import { groupOf, meshKindOf } from "@weft/control/config/kinds";
import { Command } from "commander";
import { outputOption, printJson } from "../options/output-format.ts";
import { collect, parseDurationMs } from "../options/parse-values.ts";
import { parseKind } from "../options/resource-kind.ts";
import { apiClient, stateOption } from "../options/state-dir.ts";
import { readFiles } from "./read-files.ts";
import { reportSync } from "./report-change.ts";

interface Flags {
  readonly state?: string;
  readonly output: string;
  readonly namespace: string;
  readonly file?: readonly string[];
  readonly wait?: boolean;
  readonly timeout: number;
}

export function command(): Command {
  return new Command("delete")
    .summary("delete applied resources")
    .description("Deletes one resource by kind and name, or those that the files name.")
    .argument("[kind]", "kind, e.g. VirtualService or vs", (text) => parseKind(text) ?? "")
    .argument("[name]", "name of the resource")
    .option("-n, --namespace <name>", "namespace", "default")
    .option("-f, --file <path>", "file, directory or - for stdin; repeatable", collect(String))
    .option("--wait", "return when every proxy has acknowledged")
    .option("--timeout <time>", "longest wait for --wait", parseDurationMs, 30_000)
    .addOption(stateOption())
    .addOption(outputOption(["text", "json"]))
    .addHelpText("after", "\nExample:\n  $ weft delete vs reviews\n  $ weft delete -f mesh/")
    .action(async (kind: string | undefined, name: string | undefined, flags: Flags) => {
      const keys = await keysToDelete(kind, name, flags);
      const api = apiClient(flags);
      const deleted: ResourceKey[] = [];
      let revision = 0;
      for (const key of keys) {
        const result = await api.deleteResource(key);
        revision = result.revision;
        deleted.push(result.resource);
        if (flags.output !== "json") {
          process.stdout.write(`${key.kind} ${key.namespace}/${key.name} deleted\n`);
        }
      }
      const sync = flags.wait ? await api.sync(revision, flags.timeout) : undefined;
      if (sync) reportSync(sync);
      if (flags.output === "json") printJson({ revision, deleted, sync });
    });
}

async function keysToDelete(
  kind: string | undefined,
  name: string | undefined,
  flags: Flags,
): Promise<readonly ResourceKey[]> {
  if (kind && name && !flags.file) return [{ kind, namespace: flags.namespace, name }];
  if (!flags.file || kind) {
    throw new UserError("say what to delete: KIND NAME, or -f FILE", {
      hint: "as in: weft delete VirtualService reviews",
      exitCode: 2,
    });
  }
  const { parseDocuments } = await import("@weft/control/config/parse-documents");
  const diagnostics = new Diagnostics();
  const documents = readFiles(flags.file, false).flatMap((file) => [...parseDocuments(file, diagnostics)]);
  if (diagnostics.hasErrors) {
    const text = diagnostics.all.map(formatDiagnostic).join("\n");
    throw new UserError(`nothing was deleted:\n${text}`, {
      hint: "correct the files, or delete by kind and name",
    });
  }
  return documents.flatMap(({ value }) => keysOf(value, flags.namespace));
}

/** What `weft apply` would have kept of a document: nothing of kinds that are not the mesh's. */
function keysOf(value: unknown, defaultNamespace: string): readonly ResourceKey[] {
  const { kind, apiVersion, metadata, items } = (value ?? {}) as Record<string, unknown>;
  if (typeof kind !== "string" || typeof apiVersion !== "string") return [];
  if (kind === "List" && Array.isArray(items)) return items.flatMap((item) => keysOf(item, defaultNamespace));
  const known = meshKindOf(kind, groupOf(apiVersion));
  const { name, namespace } = (metadata ?? {}) as { name?: unknown; namespace?: unknown };
  if (!known || typeof name !== "string") return [];
  return [{ kind: known, namespace: typeof namespace === "string" ? namespace : defaultNamespace, name }];
}
