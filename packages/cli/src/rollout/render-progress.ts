import type { RolloutEvent, RolloutStatus, VersionCalls } from "@weft/control/api/rollout-protocol";
import { oneLine } from "../output/table.ts";
import { formatMs, formatShare } from "../output/units.ts";

const barWidth = 24;

/** What a rollout does now, as lines that are written over again. Pure: text in, text out. */
export function renderProgress(status: RolloutStatus, width: number): readonly string[] {
  const { service, from, to, stages, stage, weight, actualShare, canary, stable } = status;
  const now = stages[stage];
  const step = now ? `step ${stage + 1} of ${stages.length}` : "promotion";
  const kind =
    now && now.kind !== "weight" ? `, ${now.kind === "mirror" ? "copies" : "matching requests"}` : "";
  const actual = actualShare === undefined ? "" : `, it gets ${formatShare(actualShare)}`;
  const lines = [
    `${service} ${from} → ${to}  ${bar(status)}  ${weight} %${actual}  ${status.phase}, ${step}${kind}`,
    ...[callsLine(to, canary), callsLine(from, stable)].filter((line) => line !== ""),
    timeLine(status),
    status.waitingFor === undefined ? "" : oneLine(`  waits: ${status.waitingFor}`),
  ];
  return lines.filter((line) => line !== "").map((line) => fit(line, width));
}

/** One line for what happened. */
export function eventLine(
  { atMs, weight, kind, message, canary, stable }: RolloutEvent,
  of: RolloutStatus,
): string {
  const time = new Date(atMs).toTimeString().slice(0, 8);
  const numbers =
    canary && stable ? `; ${of.to}: ${callsText(canary)}; ${of.from}: ${callsText(stable)}` : "";
  return oneLine(`${time}  ${`${weight} %`.padStart(5)}  ${kind}: ${message}${numbers}`);
}

export function callsText({ requests, failures, p99Ms }: VersionCalls): string {
  if (requests === 0) return "no calls";
  const latency = p99Ms === undefined ? "" : `, p99 ${formatMs(p99Ms)}`;
  return `${requests} calls, ${formatShare(1 - failures / requests)} succeeded${latency}`;
}

/** Done steps, and of the current one how far its interval is. */
function bar({ stages, stage, elapsedMs = 0, intervalMs, isOver, outcome }: RolloutStatus): string {
  const part = isOver ? 0 : Math.min(1, elapsedMs / intervalMs);
  const done = outcome === "promoted" ? 1 : (stage + part) / Math.max(1, stages.length);
  const full = Math.min(barWidth, Math.floor(done * barWidth));
  return "█".repeat(full) + "░".repeat(barWidth - full);
}

function callsLine(version: string, calls: VersionCalls | undefined): string {
  return calls ? `  ${version.padEnd(8)} ${callsText(calls)}` : "";
}

function timeLine({
  elapsedMs,
  intervalMs,
  isPaused,
  failedChecks,
  threshold,
  criteria,
}: RolloutStatus): string {
  if (elapsedMs === undefined) return "";
  const time = `${Math.floor(elapsedMs / 1000)} of ${intervalMs / 1000} s`;
  const checks = threshold > 1 ? `, ${failedChecks} of ${threshold} failed checks` : "";
  const wanted = [
    criteria.successPercent === undefined ? "" : `success ≥ ${criteria.successPercent} %`,
    criteria.p99Ms === undefined ? "" : `p99 ≤ ${criteria.p99Ms} ms`,
    `≥ ${criteria.minRequests} calls`,
  ].filter((one) => one !== "");
  return `  ${isPaused ? "paused, " : ""}${time}${checks}; wanted: ${wanted.join(", ")}`;
}

function fit(line: string, width: number): string {
  return line.length > width ? `${line.slice(0, Math.max(0, width - 1))}…` : line;
}
