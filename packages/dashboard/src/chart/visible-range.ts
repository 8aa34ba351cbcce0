import type { HistoryReport } from "@weft/control/api/protocol";

/** What of the hour is shown: its last minutes, or by itself as much as there is, from five minutes on. */
export const ranges = ["", "10", "30", "60"] as const;

/** The report without what lies before the range. */
export function visibleRange(report: HistoryReport, range: string): HistoryReport {
  const { length } = report.rps;
  const stepsOf = (minutes: number): number => Math.ceil((minutes * 60_000) / report.stepMs);
  const first = report.tcp.findIndex((value) => value !== null);
  const sinceFirst = first < 0 ? 0 : length - first + 2;
  const minutes = (ranges as readonly string[]).includes(range) && range !== "" ? Number(range) : undefined;
  const steps = Math.min(length, minutes === undefined ? Math.max(stepsOf(5), sinceFirst) : stepsOf(minutes));
  const from = length - steps;
  if (from <= 0) return report;
  const { heat } = report;
  return {
    startMs: report.startMs + from * report.stepMs,
    stepMs: report.stepMs,
    rps: report.rps.slice(from),
    success: report.success.slice(from),
    p50: report.p50.slice(from),
    p95: report.p95.slice(from),
    p99: report.p99.slice(from),
    denied: report.denied.slice(from),
    tcp: report.tcp.slice(from),
    saturation: report.saturation.slice(from),
    heat: heat && { boundsMs: heat.boundsMs, counts: heat.counts.slice(from) },
  };
}
