import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes a directory and those above it that are missing; one that is there stays
 * as it is, also when others make the same ones at this moment.
 *
 * Node's own recursive `mkdir` never returns where the kernel refuses with
 * ENOENT although the parent exists, as in `/proc`.
 */
export function makeDirectory(path: string, mode: number): void {
  if (makeOne(path, mode)) return;
  makeDirectory(dirname(path), mode);
  if (!makeOne(path, mode))
    throw Object.assign(new Error(`${path} does not exist`), { code: "ENOENT", path });
}

/** False when the directory above is missing. */
function makeOne(path: string, mode: number): boolean {
  try {
    mkdirSync(path, { mode });
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && dirname(path) !== path) return false;
    if (code === "EEXIST" && statSync(path).isDirectory()) return true;
    throw error;
  }
}
