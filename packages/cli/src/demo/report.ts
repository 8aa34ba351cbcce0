import type { Outcome } from "./verify/outcome.ts";

/** What `weft demo --once` found. */
export interface DemoReport {
  readonly ok: boolean;
  readonly capture: "nft" | "none";
  /** From the start of the first process until every service answered through the mesh. */
  readonly readySeconds: number;
  readonly totalSeconds: number;
  readonly outcomes: readonly Outcome[];
  /** What this run could not show, and why. */
  readonly notShown: readonly string[];
}

/** What is missing without interception. */
export const notShownWithoutCapture: readonly string[] = [
  "transparent interception: needs root and nft; the services were given local ports instead",
  "DNS names of the mesh inside the workloads: part of interception",
  "refusal of plain connections: without namespaces an application's own port stays reachable on this machine",
  "a capture of the wire, the certificates shown there and their rotation: needs root",
];

export function formatOutcome(outcome: Outcome): string {
  return `  ${outcome.ok ? "✓" : "✗"} ${outcome.name}\n      ${outcome.seen}`;
}

export function formatSummary(report: DemoReport): string {
  const passed = report.outcomes.filter((outcome) => outcome.ok).length;
  const failed = report.outcomes.length - passed;
  return [
    ...report.notShown.map((line) => `  – not shown: ${line}`),
    `${passed} passed, ${failed} failed; ready after ${report.readySeconds.toFixed(1)} s, ${report.totalSeconds.toFixed(0)} s in all`,
  ].join("\n");
}
