import assert from "node:assert/strict";
import { it } from "node:test";
import { formatDiagnostic } from "@weft/base/diagnostics";
import { parseConfig } from "./parse-config.ts";

/** What is tested, a document's `spec`, and what is said of it: each pattern is for one finding, in their order. */
export type SpecCase = readonly [name: string, spec: string, ...expected: RegExp[]];

/** A test for each case, of a document in `a.yaml` whose spec is on its fourth line. */
export function testSpecs(apiVersion: string, kind: string, cases: readonly SpecCase[]): void {
  for (const [name, spec, ...expected] of cases) {
    it(name, () => {
      const text = `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: a }\nspec: ${spec}\n`;
      const said = parseConfig([{ name: "a.yaml", text }]).diagnostics.map(formatDiagnostic);
      assert.equal(said.length, expected.length, said.join("\n"));
      expected.forEach((pattern, i) => {
        assert.match(said[i]!, pattern);
      });
    });
  }
}
