import { type Diagnostic, formatDiagnostic } from "@weft/base/diagnostics";
import { UserError } from "@weft/base/errors";
import type { ApiClient } from "@weft/control/api/client";
import type { ConfigFile } from "@weft/control/config/parse-documents";
import { runningMesh, type WrittenMesh, writtenMesh } from "@weft/control/inspect/written-mesh";
import { Explainer } from "../explain/explainer.ts";
import { writtenReader } from "../explain/written-reader.ts";
import type { ReplayedMesh } from "./replay-calls.ts";

/** A mesh as it is and as it would be with other resources in place of those of the same name. */
export interface Replayable {
  readonly before: ReplayedMesh;
  readonly after: ReplayedMesh;
}

/** Of files. @throws UserError where the changed ones have errors */
export function replayFiles(
  files: readonly ConfigFile[],
  changed: readonly ConfigFile[],
  trustDomain: string,
): Replayable {
  const settings = { trustDomain };
  const before = writtenMesh(files, settings);
  return { before: asked(before), after: asked(checked(writtenMesh(files, settings, changed), changed)) };
}

/** Of the mesh that runs. */
export async function replayLive(api: ApiClient, changed: readonly ConfigFile[]): Promise<Replayable> {
  const [{ resources }, { workloads, trustDomain }] = await Promise.all([
    api.listResources(),
    api.registrations(),
  ]);
  const files = resources.map(({ text, origin }) => {
    const colon = origin.lastIndexOf(":");
    // At its own line, so that places are those of the file it came from.
    const lines = "\n".repeat(Math.max(Number(origin.slice(colon + 1)) - 1, 0));
    return { name: origin.slice(0, colon), text: lines + text };
  });
  const before = runningMesh(files, workloads, { trustDomain });
  const after = checked(runningMesh(files, workloads, { trustDomain }, changed), changed);
  return { before: asked(before), after: asked(after) };
}

function asked(mesh: WrittenMesh): ReplayedMesh {
  const reader = writtenReader(mesh);
  return { reader, explainer: new Explainer(reader) };
}

function checked(mesh: WrittenMesh, changed: readonly ConfigFile[]): WrittenMesh {
  const names = new Set(changed.map(({ name }) => name));
  const isNew = ({ severity, origin }: Diagnostic) => severity === "error" && names.has(origin?.file ?? "");
  const errors = mesh.diagnostics.filter(isNew);
  if (errors.length === 0) return mesh;
  throw new UserError(errors.map(formatDiagnostic).join("\n"), {
    hint: "correct these first: what is refused cannot be replayed",
  });
}
