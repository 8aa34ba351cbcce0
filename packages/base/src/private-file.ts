import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Replaces a file that is its owner's alone: the file is 0600, its folder, where
 * it has to be made, 0700. A crash leaves the old content or the new.
 */
export async function writePrivateFile(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const next = `${path}.next`;
  await rm(next, { force: true });
  await writeFile(next, content, { mode: 0o600, flag: "wx" });
  await rename(next, path);
}

/** The same, done when it returns. */
export function writePrivateFileSync(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const next = `${path}.next`;
  rmSync(next, { force: true });
  writeFileSync(next, content, { mode: 0o600, flag: "wx" });
  renameSync(next, path);
}
