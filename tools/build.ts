/**
 * Bundles the CLI and everything behind it into `packages/cli/dist`, as it is
 * published: compiled JavaScript, one chunk per command, npm packages outside.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const cli = join(import.meta.dirname, "..", "packages", "cli");
const manifest = JSON.parse(readFileSync(join(cli, "package.json"), "utf8"));

rmSync(join(cli, "dist"), { recursive: true, force: true });
const result = await build({
  absWorkingDir: cli,
  entryPoints: { main: "src/main.ts", proxy: "src/proxy-main.ts" },
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node24",
  external: [...Object.keys(manifest.dependencies), ...Object.keys(manifest.optionalDependencies)],
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
});
const bytes = Object.values(result.metafile.outputs).reduce((sum, output) => sum + output.bytes, 0);
console.error(`build: ${Object.keys(result.metafile.outputs).length} files, ${Math.round(bytes / 1024)} KiB`);
