import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the `weft` package, the same from sources and from a build: where its data files are. */
export const packageRoot = findPackageRoot(dirname(fileURLToPath(import.meta.url)));

function findPackageRoot(from: string): string {
  let directory = from;
  while (!existsSync(join(directory, "package.json"))) directory = dirname(directory);
  return directory;
}

/** Program and leading arguments that start this same `weft` again as a child. */
export function weftCommand(): readonly string[] {
  const source = join(packageRoot, "src", "main.ts");
  return [process.execPath, process.argv[1]?.endsWith(".js") || !existsSync(source) ? join(packageRoot, "dist", "main.js") : source];
}
