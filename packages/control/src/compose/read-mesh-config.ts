import { readFileSync } from "node:fs";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { messageOf, UserError } from "@weft/base/errors";
import type { CaLog } from "../ca/ca-log.ts";
import { parseMeshConfig } from "../config/mesh-config/parse-mesh-config.ts";
import { meshSettings } from "../model/mesh-settings.ts";
import type { MeshSettings } from "../model/options.ts";

/** The settings that a file of MeshConfig makes; none without a file. @throws UserError with everything that is wrong in it */
export function readMeshConfig(file: string | undefined, log: CaLog): Omit<MeshSettings, "trustDomain"> {
  if (file === undefined) return {};
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new UserError(`--mesh-config: ${messageOf(error)}`, { exitCode: 2, cause: error });
  }
  const { spec, diagnostics } = parseMeshConfig({ name: file, text });
  if (!spec) {
    throw new UserError(diagnostics.map(formatDiagnostic).join("\n"), {
      hint: "correct the file of --mesh-config and start again",
      exitCode: 2,
    });
  }
  for (const one of diagnostics) log.warn({ code: one.code }, formatDiagnostic(one));
  return meshSettings(spec);
}
