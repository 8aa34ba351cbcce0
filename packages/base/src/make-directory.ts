import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes a directory and those above it that are missing; one that is there stays as it is.
 *
 * Node's own recursive `mkdir` never returns where the kernel refuses with
 * ENOENT although the parent exists, as in `/proc`.
 */
export function makeDirectory(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const parent = dirname(path);
    if (code === "ENOENT" && parent !== path && !existsSync(parent)) {
      makeDirectory(parent, mode);
      mkdirSync(path, { mode });
    } else if (code !== "EEXIST" || !statSync(path).isDirectory()) {
      throw error;
    }
  }
}
