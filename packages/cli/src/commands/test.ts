import { watch } from "node:fs";
import { dirname } from "node:path";
import { messageOf } from "@weft/base/errors";
import { Command } from "commander";
import { formatResults, type ResultFormat } from "../mesh-test/format-results.ts";
import { findTestFiles, loadSuite } from "../mesh-test/load-suites.ts";
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
      if (!(await runAll(paths, flags.output, 0))) process.exitCode = 1;
    });
}

async function runAll(paths: readonly string[], output: ResultFormat, generation: number): Promise<boolean> {
  const meshes = new TestMeshes();
  const suites: SuiteResult[] = [];
  for (const file of findTestFiles(paths))
    suites.push(await runSuite(await loadSuite(file, generation), meshes));
  process.stdout.write(formatResults[output](suites));
  const all = suites.flatMap(({ results }) => results);
  const failed = all.filter(hasFailed).length;
  process.stderr.write(`weft: ${all.length - failed} of ${all.length} passed\n`);
  return failed === 0;
}

/** Until it is interrupted. What cannot be loaded is told, and tried again with the next change. */
async function watchAndRun(paths: readonly string[], output: ResultFormat): Promise<never> {
  let generation = 0;
  let changed = Promise.withResolvers<void>();
  const folders = new Set<string>();
  for (;;) {
    try {
      await runAll(paths, output, generation);
      for (const file of findTestFiles(paths)) {
        const { mesh } = await loadSuite(file, generation);
        for (const folder of [dirname(file), ...mesh]) {
          if (folders.has(folder)) continue;
          folders.add(folder);
          watch(folder, { recursive: true }, () => changed.resolve());
        }
      }
    } catch (error) {
      process.stderr.write(`weft: ${messageOf(error)}\n`);
      if (folders.size === 0) throw error;
    }
    await changed.promise;
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    changed = Promise.withResolvers<void>();
    generation += 1;
    process.stderr.write("\n");
  }
}
