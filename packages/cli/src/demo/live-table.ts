import type { StatsRow } from "@weft/control/api/protocol";
import type { Visit } from "./traffic-log.ts";
import { isComplete } from "./traffic-log.ts";

const columns = ["SERVICE", "VERSION", "RPS", "SUCCESS", "P50", "P99", "CALLED BY", "CERTIFICATE"] as const;

export interface LiveView {
  readonly rows: readonly StatsRow[];
  /** The last seconds of the traffic source. */
  readonly visits: readonly Visit[];
  readonly step: { readonly title: string; readonly effect: string } | undefined;
  readonly upSeconds: number;
  readonly width: number;
}

/** One screen of the running demo. Pure: text in, text out. */
export function renderLiveView(view: LiveView): string {
  const served = view.rows.filter((row) => row.version !== "");
  const cells = [columns as readonly string[], ...served.map(rowCells)];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)));
  const table = cells.map((row) => `  ${row.map((cell, i) => cell.padEnd(widths[i]!)).join("  ")}`.trimEnd());
  const failed = view.visits.filter((visit) => !isComplete(visit)).length;
  return [
    `weft demo: bookinfo, ${view.upSeconds} s up, mutual TLS between all services`,
    view.step ? `now: ${view.step.title} — ${view.step.effect}` : "now: no configuration at all",
    "",
    ...table,
    "",
    `  reviews as the reader of the page saw them: ${shares(view.visits)}; ${failed} of ${view.visits.length} visits failed`,
  ]
    .map((line) => (line.length > view.width ? `${line.slice(0, Math.max(view.width - 1, 0))}…` : line))
    .join("\n");
}

function rowCells(row: StatsRow): readonly string[] {
  const callers = row.peers.map((peer) => peer.slice(peer.lastIndexOf("/") + 1));
  return [
    row.service,
    row.version,
    row.requestsPerSecond === undefined ? "–" : row.requestsPerSecond.toFixed(1),
    row.successRate === undefined ? "–" : `${(row.successRate * 100).toFixed(1)} %`,
    milliseconds(row.p50Ms),
    milliseconds(row.p99Ms),
    callers.length > 0 ? callers.join(", ") : "–",
    row.certificateAgeSeconds === undefined
      ? "–"
      : `${Math.round(row.certificateAgeSeconds)} s old, ${Math.round(row.certificateExpiresInSeconds ?? 0)} s left`,
  ];
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? "–" : `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}

function shares(visits: readonly Visit[]): string {
  const counts = new Map<string, number>();
  for (const { version } of visits) if (version) counts.set(version, (counts.get(version) ?? 0) + 1);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  if (total === 0) return "none yet";
  return [...counts]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([version, count]) => `${version} ${Math.round((100 * count) / total)} %`)
    .join(", ");
}
