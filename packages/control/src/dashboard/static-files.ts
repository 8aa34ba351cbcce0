import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";

export interface StaticFile {
  readonly type: string;
  readonly plain: Buffer;
  readonly gzipped: Buffer | undefined;
  /** Its name holds a hash of what is in it. */
  readonly isImmutable: boolean;
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/**
 * The files of the built application by their path, read once: nothing that a
 * request says ever becomes the path of a file. Empty when it was not built.
 */
export function readStaticFiles(directory: string): ReadonlyMap<string, StaticFile> {
  const files = new Map<string, StaticFile>();
  if (!existsSync(directory)) return files;
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const type = types[extname(entry.name)];
    if (!entry.isFile() || !type) continue;
    const file = join(entry.parentPath, entry.name);
    files.set(file.slice(directory.length + 1), {
      type,
      plain: readFileSync(file),
      gzipped: existsSync(`${file}.gz`) ? readFileSync(`${file}.gz`) : undefined,
      isImmutable: file.includes("/assets/"),
    });
  }
  return files;
}
