import assert from "node:assert/strict";
import { test } from "node:test";
import { formatSarif } from "./format-sarif.ts";

test("SARIF has a rule for each code and a place for each finding that has one", () => {
  const origin = { file: "mesh dir/a.yaml", line: 3, column: 5 };
  const sarif = formatSarif([
    {
      code: "W2410",
      severity: "warning",
      message: "hole",
      hint: "close it",
      origin,
      other: { ...origin, line: 9 },
    },
    { code: "IST0101", severity: "error", message: "missing", origin },
    { code: "W2410", severity: "info", message: "nowhere" },
  ]) as {
    version: string;
    runs: { tool: { driver: { rules: unknown } }; results: Record<string, unknown>[] }[];
  };
  assert.equal(sarif.version, "2.1.0");
  const [{ tool, results }] = sarif.runs as [(typeof sarif.runs)[0]];
  assert.deepEqual(tool.driver.rules, [{ id: "IST0101" }, { id: "W2410" }]);
  const place = (startLine: number) => ({
    physicalLocation: {
      artifactLocation: { uri: "mesh%20dir/a.yaml" },
      region: { startLine, startColumn: 5 },
    },
  });
  assert.deepEqual(results, [
    {
      ruleId: "W2410",
      ruleIndex: 1,
      level: "warning",
      message: { text: "hole (close it)" },
      locations: [place(3)],
      relatedLocations: [place(9)],
    },
    { ruleId: "IST0101", ruleIndex: 0, level: "error", message: { text: "missing" }, locations: [place(3)] },
    { ruleId: "W2410", ruleIndex: 1, level: "note", message: { text: "nowhere" } },
  ]);
});
