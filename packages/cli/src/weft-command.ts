import { existsSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "./package-root.ts";

/**
 * Node's flags for what runs beside every application. A young generation of 2 MB
 * instead of 16 saves a quarter of the sidecar's memory under load and costs about
 * a tenth of its CPU; `bin/weft` gives the same.
 */
export const sidecarNodeFlags: readonly string[] = ["--max-semi-space-size=2"];

/** Program and leading arguments that start this same `weft` again as a child. */
export function weftCommand(nodeFlags: readonly string[] = []): readonly string[] {
  return [process.execPath, ...nodeFlags, mainFile()];
}

/** The build where this process runs from it, or where there is nothing else; otherwise the sources. */
function mainFile(): string {
  const source = join(packageRoot, "src", "main.ts");
  const isBuilt = process.argv[1]?.endsWith(".js") || !existsSync(source);
  return isBuilt ? join(packageRoot, "dist", "main.js") : source;
}
