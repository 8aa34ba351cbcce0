/**
 * `npm run differential [-- word …]`: puts Envoy and `weft proxy` through the
 * cases whose name contains a word, or all, and prints both sides of whatever is
 * not as `divergences.yaml` says.
 *
 *   --all     prints listed divergences, too
 *   --keep    leaves bootstraps and logs in the folder it names
 *   --docs    only writes the tables of docs/envoy-differences.md
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram, setUpPeers } from "../../tools/peers.ts";
import { writePage } from "./differences-page.ts";
import { differingAspects, loadDivergences, unknownNames } from "./divergences.ts";
import { loadAreas } from "./load-areas.ts";
import { describeOutcome } from "./report.ts";
import { runJudged } from "./suite.ts";

const args = process.argv.slice(2);
const divergences = loadDivergences();
if (args.includes("--docs")) {
  writePage(divergences);
  process.exit(0);
}
const words = args.filter((arg) => !arg.startsWith("--"));
const missing = setUpPeers(["envoy"]);
const envoy = findProgram("envoy");
if (!envoy) {
  console.error(`differential: ${missing.join("; ")}`);
  process.exit(1);
}

const all = loadAreas();
const chosen = all
  .map((area) => ({
    ...area,
    cases: area.cases.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word))),
  }))
  .filter(({ cases }) => cases.length > 0);
if (chosen.length === 0) {
  console.error(`differential: no case's name contains ${words.join(" or ")}`);
  process.exit(1);
}
const kept = args.includes("--keep") ? mkdtempSync(join(tmpdir(), "weft-differential-")) : undefined;
const startMs = performance.now();
const { outcomes, problems } = await runJudged(
  chosen,
  envoy,
  divergences,
  (config, ms) => console.error(`differential: ${config} ${(ms / 1000).toFixed(1)} s`),
  kept,
);
const cases = new Map(chosen.flatMap((area) => area.cases.map((one) => [one.name, one])));
for (const outcome of outcomes) {
  const isShown = args.includes("--all") && differingAspects(outcome).length > 0;
  const problem = problems.get(outcome.name) ?? (isShown ? "is a listed divergence" : undefined);
  if (problem !== undefined) console.log(`${describeOutcome(cases.get(outcome.name)!, outcome, problem)}\n`);
}
const strangers = unknownNames(
  new Set(all.flatMap((area) => area.cases.map(({ name }) => name))),
  divergences,
);
for (const name of strangers) console.log(`✗ ${name}\n  is listed, and there is no such case`);
const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
const differing = outcomes.filter((outcome) => differingAspects(outcome).length > 0).length;
const wrong = problems.size + strangers.length;
console.log(`${outcomes.length} cases in ${seconds} s: ${differing} differ, ${wrong} not as listed`);
if (kept) console.log(`bootstraps and logs: ${kept}`);
process.exit(wrong > 0 ? 1 : 0);
