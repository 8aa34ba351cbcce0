import type { Case } from "./case.ts";
import { type Aspect, differingAspects } from "./divergences.ts";
import type { Outcome } from "./run-config.ts";

const columnWidth = 76;

/** What was sent, and both sides of every part that differs, side by side. */
export function describeOutcome(one: Case, outcome: Outcome, problem: string): string {
  const parts = differingAspects(outcome).map((aspect) => sideBySide(aspect, outcome));
  return [`✗ ${one.name}`, `  ${problem}`, sent(one), ...parts].join("\n");
}

function sent({ pieces, http2 }: Case): string {
  const lines = http2
    ? [...http2.fields.map(([name, value]) => JSON.stringify(`${name}: ${value}`)), ...http2.data]
    : pieces.flatMap((piece) => piece.split(/(?<=\n)/).map((line) => JSON.stringify(line)));
  return ["  sent", ...lines.map((line) => `    ${line}`)].join("\n");
}

function sideBySide(aspect: Aspect, { envoy, weft }: Outcome): string {
  const left = envoy[aspect].split("\n");
  const right = weft[aspect].split("\n");
  const rows = Array.from({ length: Math.max(left.length, right.length) }, (_, i) => {
    const [a = "", b = ""] = [left[i], right[i]];
    return `  ${a === b ? " " : "≠"} ${a.padEnd(columnWidth)} │ ${b}`;
  });
  return [`  ${aspect}: ${"Envoy".padEnd(columnWidth - aspect.length)} │ here`, ...rows].join("\n");
}
