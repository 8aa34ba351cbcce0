import type { Diagnostic } from "@weft/base/diagnostics";
import type { ResourceKey } from "../api/protocol.ts";
import { ApiRefusal } from "../api/refusal.ts";
import { type ConfigResource, resourceKey } from "../config/resource.ts";
import type { ResourceChange } from "../store/resource-store.ts";
import { type ApplyPlan, checkChange, ownedByDirectory } from "./apply-config.ts";
import { agedFrom, type ConfigEntry, type ConfigSet, readEntries } from "./config-set.ts";
import { joinDocuments } from "./split-documents.ts";

/** What going back would do. */
export interface RollbackPlan extends ApplyPlan {
  readonly removed: readonly ResourceKey[];
}

/**
 * Decides what brings back an earlier state, or refuses it as a whole: a mesh
 * that would have errors now is not made, also when it had none then.
 *
 * @param changes everything that differs from then
 */
export function planRollback(
  changes: readonly ResourceChange[],
  config: ConfigSet,
  check: (resources: readonly ConfigResource[]) => readonly Diagnostic[],
): RollbackPlan {
  const removed = changes.filter(({ before }) => !before).map(({ key }) => key);
  const versions = changes.flatMap(({ before }) => before ?? []);
  const { entries: read, diagnostics } = readEntries(
    joinDocuments(versions.map(({ text }) => text)),
    "store",
  );
  const createdAtMs = new Map(
    versions.map((version) => [resourceKey(version.resource), version.createdAtMs]),
  );
  const texts = new Map(versions.map((version) => [resourceKey(version.resource), version.text]));
  const entries: readonly ConfigEntry[] = read.map((entry) => ({
    ...entry,
    text: texts.get(entry.key) ?? entry.text,
    resource: agedFrom(entry.resource, createdAtMs.get(entry.key)),
  }));
  const missing = versions.find(({ resource }) => !entries.some(({ key }) => key === resourceKey(resource)));
  if (missing && !diagnostics.some(({ severity }) => severity === "error")) {
    const { kind, namespace, name } = missing.resource;
    throw new ApiRefusal(422, {
      error: `${kind} ${namespace}/${name} of revision ${missing.revision} can no longer be read`,
      hint: "apply it anew from its file",
    });
  }
  const found = [...diagnostics, ...entries.flatMap((entry) => ownedByDirectory(entry, config))];
  const all = checkChange(found, { entries, removed: removed.map(resourceKey) }, config, check);
  const made = entries.map(({ resource: { kind, namespace, name }, key }) => ({
    kind,
    namespace,
    name,
    action: config.entries.has(key) ? ("changed" as const) : ("created" as const),
  }));
  return {
    entries,
    removed,
    resources: [...made, ...removed.map((key) => ({ ...key, action: "deleted" as const }))],
    diagnostics: all,
  };
}
