import { type Diagnostic, formatDiagnostic } from "@weft/base/diagnostics";
import { messageOf } from "@weft/base/errors";
import { writtenMesh } from "@weft/control/inspect/written-mesh";
import { readFiles } from "../commands/read-files.ts";
import { Explainer } from "../explain/explainer.ts";
import type { Explanation } from "../explain/explanation.ts";
import { parseQuestion } from "../explain/question.ts";
import { writtenReader } from "../explain/written-reader.ts";
import { judge, type Mismatch } from "./judge.ts";
import { isTestFile } from "./load-suites.ts";
import type { Ask, MeshTestSuite, PlacedTest } from "./mesh-test.ts";

export interface TestResult {
  readonly name: string;
  readonly place: string;
  readonly mismatches: readonly Mismatch[];
  /** Why it could not be judged. */
  readonly error?: string;
  /** The lines of YAML that decided: of the route and of the policy. */
  readonly decidedBy: readonly string[];
  readonly durationMs: number;
}

export interface SuiteResult {
  readonly file: string;
  readonly results: readonly TestResult[];
}

export function hasFailed({ mismatches, error }: TestResult): boolean {
  return mismatches.length > 0 || error !== undefined;
}

/** Meshes by what they are made of: several suites may be about the same. */
export class TestMeshes {
  readonly #explainers = new Map<
    string,
    { readonly explainer: Explainer; readonly errors: readonly Diagnostic[] }
  >();

  of({ mesh, trustDomain }: MeshTestSuite) {
    const key = JSON.stringify([mesh, trustDomain]);
    let made = this.#explainers.get(key);
    if (!made) {
      const files = readFiles(mesh, true).filter(({ name }) => !isTestFile(name));
      const written = writtenMesh(files, { trustDomain });
      const errors = written.diagnostics.filter(({ severity }) => severity === "error");
      made = { explainer: new Explainer(writtenReader(written)), errors };
      this.#explainers.set(key, made);
    }
    return made;
  }
}

/** Runs the tests of one file. A mesh with errors fails as a whole: what is refused in it would be tested as if it were not there. */
export async function runSuite(suite: MeshTestSuite, meshes: TestMeshes): Promise<SuiteResult> {
  const { explainer, errors } = meshes.of(suite);
  if (errors.length > 0) {
    const error = errors.map(formatDiagnostic).join("\n");
    const result = {
      name: "the mesh has no errors",
      place: suite.file,
      mismatches: [],
      error,
      decidedBy: [],
    };
    return { file: suite.file, results: [{ ...result, durationMs: 0 }] };
  }
  const results: TestResult[] = [];
  for (const placed of suite.tests) results.push(await runTest(placed, explainer));
  return { file: suite.file, results };
}

async function runTest({ name, place, test }: PlacedTest, explainer: Explainer): Promise<TestResult> {
  const startMs = performance.now();
  const ask: Ask = ({ from, to, method, headers = {} }) => {
    const fields = Object.entries(headers).map(([key, value]) => `${key}: ${value}`);
    return explainer.explain(parseQuestion(from, to, { ...(method && { method }), headers: fields }));
  };
  let asked: Explanation | undefined;
  const judged = async (): Promise<Pick<TestResult, "mismatches" | "error">> => {
    try {
      if ("run" in test) {
        await test.run(async (call) => {
          asked = await ask(call);
          return asked;
        });
        return { mismatches: [] };
      }
      asked = await ask(test);
      return { mismatches: judge(test.expect, asked.outcome) };
    } catch (error) {
      return { mismatches: [], error: messageOf(error) };
    }
  };
  const verdict = await judged();
  const durationMs = performance.now() - startMs;
  return { name, place, ...verdict, decidedBy: placesOf(asked), durationMs };
}

function placesOf(explanation: Explanation | undefined): readonly string[] {
  const { route, policy } = explanation?.outcome ?? {};
  return [route?.origin, policy?.origin].filter((origin) => origin !== undefined);
}
