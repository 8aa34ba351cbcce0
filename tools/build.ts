/**
 * Bundles the CLI and everything behind it into `packages/cli/dist`, as it is
 * published: compiled JavaScript, one chunk per command, and the dashboard's pages.
 *
 * Small ES modules go inside, which makes the sidecar load faster and hold
 * less memory; their licences go beside them. What is CommonJS, has native parts or
 * workers, or is large and rarely loaded stays a dependency.
 *
 * Tests start it by `artefacts/published/bin/weft`: the launcher before this build and
 * nothing else, as in an installed package; the one in `packages/cli` takes the sources.
 */
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { build } from "esbuild";
import { buildDashboard } from "./build-dashboard.ts";
import { builtinsWithoutGetters } from "./builtins-without-getters.ts";

const root = join(import.meta.dirname, "..");
const cli = join(root, "packages", "cli");
const dist = join(cli, "dist");

const published = readManifest(join(cli, "package.json"));
const outside = Object.keys(published.dependencies ?? {});
checkDependencies();

const result = await build({
  write: false,
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
/** Runs in users' applications, on whatever Node they have: one that it cannot run on must not notice. */
const preload = await build({
  write: false,
  absWorkingDir: root,
  entryPoints: { "trace-node": "packages/agent/src/trace-node/preload.ts" },
  outdir: dist,
  outExtension: { ".js": ".cjs" },
  bundle: true,
  format: "cjs",
  platform: "node",
  target: "node14",
  banner: { js: "try{" },
  footer: { js: '}catch(e){process.stderr.write("weft: trace context is not forwarded: "+e+"\\n")}' },
  logLevel: "warning",
});
const dashboard = await buildDashboard(root);
// Types only, so that it reads the same as a declaration: what `weft/filter` is to authors of filters.
const declarations = readFileSync(join(root, "packages/proxy/src/filters/module/filter-module.ts"));
replaceFiles(
  new Map<string, Uint8Array | string>([
    ...[...result.outputFiles, ...preload.outputFiles].map(
      ({ path, contents }) => [relative(dist, path), contents] as const,
    ),
    ["filter.d.ts", declarations],
    [
      "THIRD-PARTY-NOTICES.txt",
      notices([...Object.keys(result.metafile.inputs), "node_modules/preact/package.json"]),
    ],
    ...dashboard.files,
    ...observability(),
  ]),
);
placeLauncher(join(root, "artefacts", "published"));
const outputs = Object.values(result.metafile.outputs);
const kibibytes = Math.round(outputs.reduce((sum, output) => sum + output.bytes, 0) / 1024);
console.error(
  `build: ${outputs.length} files, ${kibibytes} KiB; dashboard ${Math.round(dashboard.scriptBytes / 1024)} KiB of script, compressed`,
);

function placeLauncher(folder: string): void {
  const launcher = join(folder, "bin", "weft");
  mkdirSync(dirname(launcher), { recursive: true });
  writeFileSync(`${launcher}.${process.pid}`, readFileSync(join(cli, "bin", "weft")));
  chmodSync(`${launcher}.${process.pid}`, 0o755);
  renameSync(`${launcher}.${process.pid}`, launcher);
  if (!existsSync(join(folder, "dist"))) symlinkSync(relative(folder, dist), join(folder, "dist"));
}

/** Dashboards, alert rules and scrape configuration, as they are in the repository: `weft demo --observe` uses them. */
function observability(): readonly (readonly [string, Uint8Array])[] {
  const folder = join(root, "observability");
  return globSync("{grafana,prometheus}/*", { cwd: folder }).map((name) => [
    join("observability", name),
    readFileSync(join(folder, name)),
  ]);
}

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

/**
 * Makes `dist` hold just these files. At every moment a command that starts
 * finds a whole build: chunks are named by their content, each file changes by
 * a rename, and what is old goes last.
 */
function replaceFiles(files: ReadonlyMap<string, Uint8Array | string>): void {
  const entriesLast = [...files].sort(([a], [b]) => b.split(sep).length - a.split(sep).length);
  for (const [name, contents] of entriesLast) {
    const file = join(dist, name);
    if (existsSync(file) && readFileSync(file).equals(Buffer.from(contents))) continue;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.${process.pid}`, contents);
    renameSync(`${file}.${process.pid}`, file);
  }
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (entry.isFile() && !files.has(relative(dist, file))) rmSync(file, { force: true });
  }
}

/** The licence of every library that was bundled, as those licences ask. */
function notices(inputs: readonly string[]): string {
  const folders = new Set(
    inputs.flatMap((input) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1] ?? []),
  );
  const texts = [...folders].sort().map((folder) => {
    const manifest = readManifest(join(root, folder, "package.json"));
    const file = ["LICENSE", "LICENSE.md", "LICENSE.txt", "license"]
      .map((name) => join(root, folder, name))
      .find((path) => existsSync(path));
    const text = file ? readFileSync(file, "utf8").trim() : `Licence: ${manifest.license}`;
    return `${manifest.name} ${manifest.version} (${manifest.license})\n\n${text}\n`;
  });
  return texts.join(`\n${"-".repeat(78)}\n\n`);
}
