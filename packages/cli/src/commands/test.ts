import { watch } from "node:fs";
import { dirname } from "node:path";
import { messageOf } from "@weft/base/errors";
import { Command } from "commander";
import { formatResults, type ResultFormat } from "../mesh-test/format-results.ts";
import { findTestFiles, loadSuite } from "../mesh-test/load-suites.ts";
import type { MeshTestSuite } from "../mesh-test/mesh-test.ts";
import { hasFailed, runSuite, type SuiteResult, TestMeshes } from "../mesh-test/run-suites.ts";
import { outputOption } from "../options/output-format.ts";

interface Flags {
  readonly watch?: boolean;
  readonly output: ResultFormat;
}

/** Editors write a file in several steps. */
const settleMs = 100;

export function command(): Command {
  return new Command("test")
    .summary("test what calls in a mesh come to, without running it")
    .description(
      "Runs the tests in files named *.test.yaml or *.test.ts: given a caller and a request, which destinations in\n" +
        "which shares, which timeout, retries, denial, redirect, headers. The answers are those of 'weft explain'.",
    )
    .argument("<path...>", "test files, or directories with some")
    .option("--watch", "run again whenever a file beside them changes")
    .addOption(outputOption(["text", "tap", "junit"]))
    .addHelpText(
      "after",
      "\nExample:\n  $ weft test mesh/\n  $ weft test mesh/ -o junit > results.xml\n  $ weft test mesh/reviews.test.yaml --watch",
    )
    .action(async (paths: readonly string[], flags: Flags) => {
      if (flags.watch) return watchAndRun(paths, flags.output);
      if (!(await runAll(await loadAll(paths), flags.output))) process.exitCode = 1;
    });
}

async function loadAll(paths: readonly string[]): Promise<readonly MeshTestSuite[]> {
  const suites: MeshTestSuite[] = [];
  for (const file of findTestFiles(paths)) suites.push(await loadSuite(file));
  return suites;
}

async function runAll(loaded: readonly MeshTestSuite[], output: ResultFormat): Promise<boolean> {
  const meshes = new TestMeshes();
  const suites: SuiteResult[] = [];
  for (const suite of loaded) suites.push(await runSuite(suite, meshes));
  process.stdout.write(formatResults[output](suites));
  const all = suites.flatMap(({ results }) => results);
  const failed = all.filter(hasFailed).length;
  process.stderr.write(`weft: ${all.length - failed} of ${all.length} passed\n`);
  return failed === 0;
}

/** Until it is interrupted. What cannot be loaded is told, and tried again with the next change. */
async function watchAndRun(paths: readonly string[], output: ResultFormat): Promise<never> {
  let changed = Promise.withResolvers<void>();
  const watched = new Set<string>();
  const watchThese = (folders: readonly string[]) => {
    for (const folder of folders) {
      if (watched.has(folder)) continue;
      watched.add(folder);
      watch(folder, { recursive: true }, () => changed.resolve());
    }
  };
  for (let generation = 0; ; generation += 1) {
    try {
      const suites: MeshTestSuite[] = [];
      for (const file of findTestFiles(paths)) {
        // Each before it is read, so that whatever changes from then on is seen.
        watchThese([dirname(file)]);
        const suite = await loadSuite(file, generation);
        watchThese(suite.mesh);
        suites.push(suite);
      }
      await runAll(suites, output);
    } catch (error) {
      process.stderr.write(`weft: ${messageOf(error)}\n`);
      if (watched.size === 0) throw error;
    }
    await changed.promise;
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    changed = Promise.withResolvers<void>();
    process.stderr.write("\n");
  }
}
