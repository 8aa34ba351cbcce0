/**
 * Bundles the CLI and everything behind it into `packages/cli/dist`, as it is
 * published: compiled JavaScript, one chunk per command.
 *
 * Small ES modules go inside, which makes the sidecar load faster and hold
 * less memory; their licences go beside them. What is CommonJS, has native parts or
 * workers, or is large and rarely loaded stays a dependency.
 */
import { copyFileSync, existsSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { builtinsWithoutGetters } from "./builtins-without-getters.ts";

const root = join(import.meta.dirname, "..");
const cli = join(root, "packages", "cli");
const dist = join(cli, "dist");

const published = readManifest(join(cli, "package.json"));
const outside = Object.keys(published.dependencies ?? {});
checkDependencies();

rmSync(dist, { recursive: true, force: true });
const result = await build({
  absWorkingDir: root,
  entryPoints: {
    main: "packages/cli/src/main.ts",
    "filter-worker": "packages/proxy/src/filters/module/filter-worker.ts",
  },
  outdir: dist,
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  minifySyntax: true,
  minifyWhitespace: true,
  format: "esm",
  platform: "node",
  target: "node24",
  external: outside.flatMap((name) => [name, `${name}/*`]),
  legalComments: "none",
  metafile: true,
  plugins: [builtinsWithoutGetters],
  logLevel: "warning",
});
// Types only, so that it reads the same as a declaration: what `weft/filter` is to authors of filters.
copyFileSync(join(root, "packages/proxy/src/filters/module/filter-module.ts"), join(dist, "filter.d.ts"));
writeNotices(Object.keys(result.metafile.inputs));
const outputs = Object.values(result.metafile.outputs);
const kibibytes = Math.round(outputs.reduce((sum, output) => sum + output.bytes, 0) / 1024);
console.error(`build: ${outputs.length} files, ${kibibytes} KiB`);

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

function readManifest(file: string): Manifest {
  return JSON.parse(readFileSync(file, "utf8"));
}

/** The published package and the workspace must ask for the same versions. */
function checkDependencies(): void {
  const needed = new Map<string, string>();
  for (const file of globSync("packages/*/package.json", { cwd: root })) {
    const manifest = readManifest(join(root, file));
    if (manifest.name === published.name) continue;
    for (const [name, range] of Object.entries(manifest.dependencies ?? {})) needed.set(name, range);
  }
  const wrong = Object.entries(published.dependencies ?? {}).filter(
    ([name, range]) => needed.get(name) !== range,
  );
  for (const [name, range] of wrong) {
    console.error(
      `build: packages/cli depends on ${name} ${range}, the packages it bundles on ${needed.get(name)}`,
    );
  }
  if (wrong.length > 0) process.exit(1);
}

/** The licence of every library that was bundled, as those licences ask. */
function writeNotices(inputs: readonly string[]): void {
  const folders = new Set(
    inputs.flatMap((input) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1] ?? []),
  );
  const notices = [...folders].sort().map((folder) => {
    const manifest = readManifest(join(root, folder, "package.json"));
    const file = ["LICENSE", "LICENSE.md", "LICENSE.txt", "license"]
      .map((name) => join(root, folder, name))
      .find((path) => existsSync(path));
    const text = file ? readFileSync(file, "utf8").trim() : `Licence: ${manifest.license}`;
    return `${manifest.name} ${manifest.version} (${manifest.license})\n\n${text}\n`;
  });
  writeFileSync(join(dist, "THIRD-PARTY-NOTICES.txt"), notices.join(`\n${"-".repeat(78)}\n\n`));
}
