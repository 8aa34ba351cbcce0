import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findPeer } from "@weft/testkit/peer";
import { isPageCurrent } from "./differences-page.ts";
import { loadDivergences, unknownNames } from "./divergences.ts";
import { loadAreas } from "./load-areas.ts";
import { describeOutcome } from "./report.ts";
import { runJudged } from "./suite.ts";

const areas = loadAreas();
const cases = new Map(areas.flatMap((area) => area.cases.map((one) => [one.name, one])));
const divergences = loadDivergences();
const envoy = findPeer("envoy");

describe("the sidecar beside Envoy", () => {
  it("gives the same answers and forwards the same requests, except as listed", {
    skip: envoy ? false : "no Envoy found",
  }, async () => {
    const { outcomes, problems } = await runJudged(areas, envoy!, divergences);
    assert.equal(outcomes.length, cases.size, "every case is run");
    const shown = outcomes.flatMap((outcome) => {
      const problem = problems.get(outcome.name);
      return problem === undefined ? [] : [describeOutcome(cases.get(outcome.name)!, outcome, problem)];
    });
    assert.equal(
      shown.length,
      0,
      `${shown.length} cases are not as divergences.yaml says\n\n${shown.join("\n\n")}`,
    );
  });

  it("is judged by at least 500 cases", () => {
    assert.ok(cases.size >= 500, `${cases.size} cases`);
  });

  it("has no divergence listed of a case that is gone", () => {
    assert.deepEqual(unknownNames(new Set(cases.keys()), divergences), []);
  });

  it("differs as docs/envoy-differences.md says", () => {
    assert.ok(isPageCurrent(divergences), "write it anew: npm run differential -- --docs");
  });
});
