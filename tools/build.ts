/**
 * Bundles the CLI and everything behind it into `packages/cli/dist`, as it is
 * published: compiled JavaScript, one chunk per command, npm packages outside.
 */
import { globSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const root = join(import.meta.dirname, "..");
const cli = join(root, "packages", "cli");

/** What the bundled packages need from npm; the published package must name all of it. */
const needed = new Map<string, string>();
for (const file of globSync("packages/*/package.json", { cwd: root })) {
  const manifest = readManifest(join(root, file));
  if (manifest.name === "@weft/testkit") continue;
  for (const [name, range] of Object.entries(manifest.dependencies ?? {})) {
    if (!name.startsWith("@weft/")) needed.set(name, range);
  }
}
const published = readManifest(join(cli, "package.json")).dependencies ?? {};
const unnamed = [...needed].filter(([name, range]) => published[name] !== range);
const unneeded = Object.keys(published).filter((name) => !needed.has(name));
if (unnamed.length + unneeded.length > 0) {
  for (const [name, range] of unnamed)
    console.error(`build: packages/cli/package.json must depend on ${name} ${range}`);
  for (const name of unneeded)
    console.error(`build: packages/cli/package.json depends on ${name}, which nothing uses`);
  process.exit(1);
}

rmSync(join(cli, "dist"), { recursive: true, force: true });
const result = await build({
  absWorkingDir: cli,
  entryPoints: { main: "src/main.ts" },
  outdir: "dist",
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node24",
  external: [...needed.keys()].flatMap((name) => [name, `${name}/*`]),
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
});
const outputs = Object.values(result.metafile.outputs);
const kibibytes = Math.round(outputs.reduce((sum, output) => sum + output.bytes, 0) / 1024);
console.error(`build: ${outputs.length} files, ${kibibytes} KiB`);

function readManifest(file: string): {
  readonly name: string;
  readonly dependencies?: Record<string, string>;
} {
  return JSON.parse(readFileSync(file, "utf8"));
}
