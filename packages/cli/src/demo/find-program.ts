import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where a clone's tests keep the real programs they talk to (`node tools/peers.ts`). */
export const peersDirectory = process.env.WEFT_PEERS ?? join(homedir(), ".cache", "weft", "peers");

/** The path of a program on the PATH, or in one of the other folders. */
export function findProgram(name: string, moreFolders: readonly string[]): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(":"), ...moreFolders];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
