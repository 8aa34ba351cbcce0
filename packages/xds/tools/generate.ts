/**
 * Generates `src/gen`: one JavaScript module and its declarations for each
 * protobuf file, so that a program loads only the messages it imports.
 *
 * Does nothing when neither the definitions nor the generator have changed,
 * so that it may run after every install.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const packageDir = join(import.meta.dirname, "..");
const protoDir = join(packageDir, "proto");
const outDir = join(packageDir, "src", "gen");
const stampFile = join(outDir, ".stamp");
const require = createRequire(import.meta.url);

const inputs = ["xds.binpb.gz", ...globSync("**/*.proto", { cwd: protoDir }).sort()];
const stamp = stampOf(inputs);
if (!existsSync(stampFile) || readFileSync(stampFile, "utf8") !== stamp) {
  rmSync(outDir, { recursive: true, force: true });
  generate();
  writeFileSync(stampFile, stamp);
}

function stampOf(files: readonly string[]): string {
  const hash = createHash("sha256");
  hash.update(readFileSync(import.meta.filename));
  hash.update(generatorVersion());
  for (const file of files) hash.update(file).update(readFileSync(join(protoDir, file)));
  return hash.digest("hex");
}

function generatorVersion(): string {
  return require("@bufbuild/protoc-gen-es/package.json").version;
}

function generate(): void {
  const template = {
    version: "v2",
    plugins: [
      {
        local: [process.execPath, require.resolve("@bufbuild/protoc-gen-es/bin/protoc-gen-es")],
        out: outDir,
        strategy: "all",
        opt: ["target=js+dts", "import_extension=js"],
      },
    ],
    inputs: [{ binary_image: join(protoDir, "xds.binpb.gz"), compression: "gzip" }, { directory: protoDir }],
  };
  const buf = require.resolve("@bufbuild/buf/bin/buf");
  const result = spawnSync(process.execPath, [buf, "generate", "--template", JSON.stringify(template)], {
    cwd: protoDir,
    encoding: "utf8",
  });
  if (result.status === 0) return;
  process.stderr.write(`${result.stdout}${result.stderr}`);
  process.stderr.write(
    "generating the protobuf messages failed; run `npm ci` again, then `npm run generate`\n",
  );
  process.exit(1);
}
