import { type Diagnostic, formatDiagnostic } from "@weft/base/diagnostics";
import type { ApplyAction, ApplyRequest } from "../api/change-protocol.ts";
import type { ResourceKey } from "../api/protocol.ts";
import { ApiRefusal } from "../api/refusal.ts";
import type { ConfigResource } from "../config/resource.ts";
import {
  agedFrom,
  type ConfigChange,
  type ConfigEntry,
  type ConfigSet,
  isWithin,
  readEntries,
} from "./config-set.ts";

/** What an apply would do. */
export interface ApplyPlan {
  /** Created or changed; nothing else is written. */
  readonly entries: readonly ConfigEntry[];
  readonly resources: readonly (ResourceKey & { readonly action: ApplyAction })[];
  /** Warnings and notes, of the files and of the mesh they make. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Decides what an apply does, or refuses it as a whole with everything that is
 * wrong. What was wrong before and is not touched by it does not stand in its way.
 */
export function planApply(
  request: ApplyRequest,
  config: ConfigSet,
  check: (resources: readonly ConfigResource[]) => readonly Diagnostic[],
  nowMs: number,
): ApplyPlan {
  const { entries: read, diagnostics } = readEntries(request.files, "store");
  const entries = read.map((entry) => {
    const before = config.entries.get(entry.key)?.resource.createdAtMs;
    return { ...entry, resource: agedFrom(entry.resource, before ?? nowMs) };
  });
  const found = [...diagnostics, ...entries.flatMap((entry) => ownedByDirectory(entry, config))];
  const all = checkChange(found, { entries, removed: [] }, config, check);
  const actions = entries.map((entry) => ({ entry, action: actionOf(entry, config) }));
  if (entries.length === 0 && !found.some((diagnostic) => diagnostic.severity !== "info")) {
    throw new ApiRefusal(422, {
      error: `${namesOf(request)}: nothing to apply`,
      hint: "apply files with Service, VirtualService, DestinationRule … in them",
      diagnostics: found,
    });
  }
  return {
    entries: actions.filter(({ action }) => action !== "unchanged").map(({ entry }) => entry),
    resources: actions.map(({ entry, action }) => ({ ...keyOf(entry.resource), action })),
    diagnostics: all,
  };
}

/**
 * Everything there is to say about a change, `found` in its files and made by
 * it in the mesh. What was wrong before and is not touched by it is not said.
 *
 * @throws ApiRefusal with all of it, when there is an error in it
 */
export function checkChange(
  found: readonly Diagnostic[],
  change: ConfigChange,
  config: ConfigSet,
  check: (resources: readonly ConfigResource[]) => readonly Diagnostic[],
): readonly Diagnostic[] {
  refuseErrors(found);
  const before = new Set(check(config.resources));
  let saidBefore: ReadonlySet<string> | undefined;
  const isApplied = (diagnostic: Diagnostic) => change.entries.some(({ text }) => isWithin(diagnostic, text));
  const isNew = (diagnostic: Diagnostic) => {
    if (before.has(diagnostic)) return false;
    saidBefore ??= new Set(before.values().map(formatDiagnostic));
    return !saidBefore.has(formatDiagnostic(diagnostic));
  };
  const fresh = check(config.resourcesAfter(change))
    .filter((diagnostic) => isNew(diagnostic) || isApplied(diagnostic))
    .map((diagnostic) => (isApplied(diagnostic) ? diagnostic : fromOtherPlace(diagnostic)));
  refuseErrors([...found, ...fresh]);
  return [...found, ...fresh];
}

export function keyOf({ kind, namespace, name }: ResourceKey): ResourceKey {
  return { kind, namespace, name };
}

/** A conflict with what was applied before is to be corrected in the file that is applied now. */
function fromOtherPlace(diagnostic: Diagnostic): Diagnostic {
  const { origin, other } = diagnostic;
  return other ? { ...diagnostic, origin: other, other: origin } : diagnostic;
}

function namesOf({ files }: ApplyRequest): string {
  const names = files.slice(0, 3).map((file) => file.name);
  return files.length > 3 ? `${names.join(", ")} and ${files.length - 3} more` : names.join(", ");
}

function refuseErrors(diagnostics: readonly Diagnostic[]): void {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === "error").length;
  if (errors === 0) return;
  throw new ApiRefusal(422, {
    error: `nothing was applied: ${errors} ${errors === 1 ? "error" : "errors"}`,
    hint: "correct the places above and apply again; the mesh runs on as it was",
    diagnostics,
  });
}

export function ownedByDirectory(entry: ConfigEntry, config: ConfigSet): readonly Diagnostic[] {
  const other = config.entries.get(entry.key);
  if (other?.source !== "directory") return [];
  const { kind, namespace, name, origins } = entry.resource;
  return [
    {
      code: "W1013",
      severity: "error",
      message: `${kind} ${namespace}/${name} comes from the control plane's own directory`,
      hint: `change it in ${other.text.file}:${other.text.line}`,
      origin: origins.at("metadata.name"),
    },
  ];
}

/** Unchanged when text and place are the same: a moved resource must point to its new line. */
function actionOf(entry: ConfigEntry, config: ConfigSet): ApplyAction {
  const before = config.entries.get(entry.key);
  if (!before) return "created";
  const { text } = before;
  const isSame =
    text.text === entry.text.text && text.file === entry.text.file && text.line === entry.text.line;
  return isSame ? "unchanged" : "changed";
}
