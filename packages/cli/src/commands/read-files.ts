import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "@weft/base/errors";
import { reasonOf } from "@weft/base/system-error";
import type { ApplyFile } from "@weft/control/api/change-protocol";

const yamlFile = /\.(ya?ml|json)$/i;
const maxTotalBytes = 12 << 20;

/**
 * The files named by `-f`: a file, `-` for stdin, or a directory for the YAML
 * and JSON files in it (with `isRecursive`, below it as well), sorted by name.
 */
export function readFiles(paths: readonly string[], isRecursive: boolean): readonly ApplyFile[] {
  const names = paths.flatMap((path) => (path === "-" ? ["-"] : expand(path, isRecursive)));
  let totalBytes = 0;
  return [...new Set(names)].map((name) => {
    const text = read(name);
    totalBytes += text.length;
    if (totalBytes > maxTotalBytes) {
      throw new UserError(`the files are larger than ${maxTotalBytes >> 20} MiB together`, {
        hint: "apply them in several calls, or let the control plane read them with --config DIR",
        exitCode: 2,
      });
    }
    return { name: name === "-" ? "<stdin>" : name, text };
  });
}

function expand(path: string, isRecursive: boolean): readonly string[] {
  const isDirectory = attempt(path, () => statSync(path).isDirectory());
  if (!isDirectory) return [path];
  const entries = attempt(path, () => readdirSync(path, { withFileTypes: true }));
  const found: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const child = join(path, entry.name);
    if (entry.name.startsWith(".")) continue;
    if (entry.isDirectory()) {
      if (isRecursive) found.push(...expand(child, true));
    } else if (yamlFile.test(entry.name)) found.push(child);
  }
  if (found.length === 0 && !isRecursive) {
    throw new UserError(`${path} holds no .yaml, .yml or .json file`, {
      hint: "name the files, or add --recursive for those in directories below",
      exitCode: 2,
    });
  }
  return found;
}

function read(name: string): string {
  return attempt(name, () => readFileSync(name === "-" ? 0 : name, "utf8"));
}

function attempt<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw new UserError(`-f ${path}: ${reasonOf(error)}`, {
      hint: "check the path",
      exitCode: 2,
      cause: error,
    });
  }
}
