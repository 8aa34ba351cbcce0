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
