import { appendFileSync } from "node:fs";
import { cpus } from "node:os";
import type { CaseSummary } from "./report.ts";

/**
 * Appends one line of JSON per case to `file`: when, on what, and the median
 * ratio to the baseline of everything measured. A file that is kept from run to
 * run shows how the ratios move, whichever machine they were taken on.
 */
export function appendTrend(file: string, summaries: readonly CaseSummary[], now: Date): void {
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}`;
  const lines = summaries.map(({ name, baseline, metrics }) => {
    const ratios = Object.entries(metrics).map(([key, { ratio }]) => [key, Number(ratio.median.toFixed(3))]);
    return JSON.stringify({
      time: now.toISOString(),
      case: name,
      baseline,
      machine,
      ratios: Object.fromEntries(ratios),
    });
  });
  appendFileSync(file, lines.map((line) => `${line}\n`).join(""));
}
