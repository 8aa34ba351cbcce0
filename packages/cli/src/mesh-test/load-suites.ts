import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Diagnostics, formatDiagnostic } from "@weft/base/diagnostics";
import { UserError } from "@weft/base/errors";
import { formatOrigin } from "@weft/base/origin";
import { reasonOf } from "@weft/base/system-error";
import { parseDocuments } from "@weft/control/config/parse-documents";
import type { MeshTest, MeshTestFunction, MeshTestSuite } from "./mesh-test.ts";
import { asTestFile, checkTest } from "./parse-test-file.ts";

const testFile = /\.test\.(ya?ml|[cm]?[jt]s)$/;
const module = /\.[cm]?[jt]s$/;

/** Whether a file holds tests rather than configuration. */
export function isTestFile(name: string): boolean {
  return testFile.test(name);
}

/** The test files that are named, and those below directories that are. */
export function findTestFiles(paths: readonly string[]): readonly string[] {
  const found = paths.flatMap((path) => {
    try {
      if (!statSync(path).isDirectory()) return [path];
      return readdirSync(path, { recursive: true, encoding: "utf8" })
        .filter((name) => isTestFile(name) && !name.split("/").some((part) => part === "node_modules"))
        .sort()
        .map((name) => join(path, name));
    } catch (error) {
      throw new UserError(`${path}: ${reasonOf(error)}`, { hint: "check the path", exitCode: 2 });
    }
  });
  if (found.length > 0) return [...new Set(found)];
  throw new UserError(`there are no tests in ${paths.join(", ")}`, {
    hint: "tests are in files named *.test.yaml or *.test.ts: see docs/test-your-mesh.md",
    exitCode: 2,
  });
}

/** @param generation differs between runs of one process, so that a changed module is loaded anew */
export async function loadSuite(file: string, generation = 0): Promise<MeshTestSuite> {
  return module.test(file) ? loadModule(file, generation) : loadYaml(file);
}

function loadYaml(file: string): MeshTestSuite {
  const diagnostics = new Diagnostics();
  const documents = parseDocuments({ name: file, text: readText(file) }, diagnostics);
  if (diagnostics.hasErrors || documents.length !== 1) {
    const found = diagnostics.all.map(formatDiagnostic).join("\n");
    throw new UserError(found || `${file}: a test file is one YAML document`, { exitCode: 2 });
  }
  const [{ value, origins }] = documents as [(typeof documents)[0]];
  const { mesh, trustDomain, tests } = asTestFile(value, (path) => formatOrigin(origins.at(path)));
  return {
    file,
    ...meshOf(file, mesh, trustDomain),
    tests: tests.map((test, i) => ({
      name: test.name ?? titleOf(test),
      place: formatOrigin(origins.at(`tests[${i}]`)),
      test,
    })),
  };
}

/** `export default` tests; `export const mesh`, `trustDomain` where the defaults are not meant. */
async function loadModule(file: string, generation: number): Promise<MeshTestSuite> {
  const url = `${pathToFileURL(resolve(file)).href}${generation > 0 ? `?${generation}` : ""}`;
  const loaded = (await import(url)) as {
    readonly default?: unknown;
    readonly mesh?: readonly string[];
    readonly trustDomain?: string;
  };
  const tests = loaded.default;
  if (!Array.isArray(tests)) {
    throw new UserError(`${file} exports no list of tests by default`, {
      hint: "export default [{ name, from, to, expect }] or [{ name, run(ask) {} }]",
      exitCode: 2,
    });
  }
  const wrong: string[] = [];
  const placed = tests.map((test: MeshTest | MeshTestFunction, i) => {
    if ("run" in test && typeof test.run === "function")
      return { name: test.name ?? `test ${i + 1}`, place: file, test };
    checkTest(test, `[${i}]`, (path, message) => wrong.push(`${file}: ${path} ${message}`));
    return { name: test.name ?? titleOf(test as MeshTest), place: file, test };
  });
  if (wrong.length > 0)
    throw new UserError(wrong.join("\n"), { hint: "see docs/test-your-mesh.md", exitCode: 2 });
  return { file, ...meshOf(file, loaded.mesh, loaded.trustDomain), tests: placed };
}

/** What a file is about unless it says so: the configuration beside it. */
function meshOf(file: string, mesh: readonly string[] = ["."], trustDomain = "cluster.local") {
  const folder = dirname(file);
  return { mesh: mesh.map((path) => relative("", resolve(folder, path)) || "."), trustDomain };
}

function titleOf({ from, to, method = "GET" }: MeshTest): string {
  return `${method} ${to} from ${from}`;
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UserError(`${file}: ${reasonOf(error)}`, { hint: "check the path", exitCode: 2 });
  }
}
