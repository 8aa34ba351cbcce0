import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/**
 * The path of a real peer (`envoy`, `grpcurl`, …) that a test drives: from the
 * folder `WEFT_PEERS`, the PATH, or the cache folder that CI fills. Undefined
 * where there is none: the test then skips and says so, except in CI, where a
 * missing peer is an error.
 */
export function findPeer(name: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const folders = [
    ...(env.WEFT_PEERS ? [env.WEFT_PEERS] : []),
    ...(env.PATH ?? "").split(delimiter),
    join(homedir(), ".cache", "weft", "peers"),
  ];
  for (const folder of folders) {
    if (folder === "") continue;
    const candidate = join(folder, name);
    if (isExecutable(candidate)) return candidate;
  }
  if (env.CI) throw new Error(`no ${name} on PATH, in WEFT_PEERS or ~/.cache/weft/peers: CI must provide it`);
  return undefined;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
