import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";

export interface BuiltDashboard {
  /** By path below `dist`: each as it is, and compressed with `.gz` behind its name. */
  readonly files: ReadonlyMap<string, Uint8Array | string>;
  /** All scripts, compressed. */
  readonly scriptBytes: number;
}

/** The dashboard's pages, which the control plane serves; nothing is written. */
export async function buildDashboard(root: string): Promise<BuiltDashboard> {
  const configFile = join(root, "packages", "dashboard", "vite.config.ts");
  const built = await build({ configFile, logLevel: "warn", build: { write: false } });
  const [{ output }] = [built].flat() as [Rolldown.RolldownOutput];
  const files = new Map<string, Uint8Array | string>();
  let scriptBytes = 0;
  for (const file of output) {
    const contents = file.type === "chunk" ? file.code : file.source;
    const compressed = gzipSync(contents, { level: 9 });
    files.set(join("dashboard", file.fileName), contents);
    files.set(join("dashboard", `${file.fileName}.gz`), compressed);
    if (file.type === "chunk") scriptBytes += compressed.length;
  }
  return { files, scriptBytes };
}
