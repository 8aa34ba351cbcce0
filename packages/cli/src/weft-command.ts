import { existsSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "./package-root.ts";

/**
 * Node's flags for what runs beside every application: a young generation of
 * 8 MB instead of 16, large enough that what eighty concurrent requests hold is
 * not promoted, and an old one that is collected early instead of growing first.
 * No signal opens a debugger on the keys in their memory.
 * `bin/weft` gives the same. Measured in docs/performance.md.
 */
export const sidecarNodeFlags: readonly string[] = [
  "--max-semi-space-size=8",
  "--initial-old-space-size=24",
  "--disable-sigusr1",
];

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
