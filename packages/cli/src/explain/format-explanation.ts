import { printable } from "../output/printable.ts";
import { formatMs } from "../output/units.ts";
import type { ObservedExplanation, RecordedEnd } from "./explain-observed.ts";
import type { Explanation, Step } from "./explanation.ts";

/** The way of a call as people read it: one line a step, what lost below it, the outcome last. */
export function formatExplanation({ request, caller, steps, outcome }: Explanation): string {
  const lines = [`${request.method} ${request.url} from ${caller.workload} (${caller.identity})`];
  const width = Math.max(...steps.map(({ step }) => step.length), 0);
  let at = "";
  for (const step of steps) {
    if (step.at !== at) {
      at = step.at;
      lines.push("", `at the proxy of ${at}`);
    }
    lines.push(...formatStep(step, width));
  }
  const place =
    outcome.policy?.origin ?? (outcome.result === "forwarded" ? undefined : outcome.route?.origin);
  lines.push("", `=> ${outcome.summary}${place ? `  ${place}` : ""}`, "");
  return lines.map(printable).join("\n");
}

/**
 * What a log has of the call, and whether the mesh would answer so now: it may
 * have been changed since, and what endpoints answer is theirs.
 */
export function formatRecorded(
  { status, flags, details, place }: { status: number; flags: string; details: string; place: string },
  { outcome }: Explanation,
): string {
  const words = [status || "no answer", flags, details].filter(Boolean).join(" ");
  const isOwn = details !== "" && details !== "via_upstream";
  const isSame = isOwn ? outcome.details === details : outcome.result === "forwarded";
  const judged = isSame
    ? "as the mesh would answer now"
    : "not as the mesh would answer now: it was changed since, or what it depends on";
  return printable(`recorded: ${words} (${judged})  ${place}`);
}

/** What happened, below how the mesh decides now, and whether the two can differ. */
export function formatObserved(call: ObservedExplanation): string {
  const { recorded, isConfigurationSame, isSameNow, unknown } = call;
  const changes = recorded.flatMap(({ at, changes: own }) => own.map((one) => ({ at, ...one })));
  const lines = recorded.map(formatEnd);
  if (isConfigurationSame) {
    const because = isSameNow ? "" : ": it depends on what is not configuration, or was not kept";
    lines.push(
      `the configuration is that of then; the mesh would ${isSameNow ? "" : "not "}answer so now${because}`,
    );
  } else {
    for (const { at, type, name, atMs } of changes) {
      const when = atMs > 0 ? ` at ${new Date(atMs).toISOString()}` : "";
      lines.push(`changed since: ${type} ${name} of ${at}${when}`);
    }
    lines.push(`the mesh would ${isSameNow ? "" : "not "}answer so now`);
  }
  if (unknown.length > 0) {
    lines.push(`not kept, so conditions on it may be judged otherwise: ${unknown.join(", ")}`);
  }
  return `${formatExplanation(call)}${lines.map(printable).join("\n")}\n`;
}

function formatEnd(end: RecordedEnd): string {
  const { at, direction, startedMs, durationMs, status, flags, details, attempts, upstreamHost } = end;
  const words = [status || "no answer", flags, details].filter(Boolean).join(" ");
  const sent = upstreamHost === "" ? "" : `, sent to ${upstreamHost}`;
  const tries = attempts > 1 ? `, ${attempts} attempts` : "";
  const decided = [end.decidedBy, end.decidedOrigin].filter(Boolean).join("  ");
  const route = end.route === "" ? "" : `, route ${end.route}`;
  const where = decided || end.routeOrigin;
  const when = new Date(startedMs).toISOString();
  return `recorded by ${at}, ${direction}, ${when}: ${words} after ${formatMs(durationMs)}${route}${sent}${tries}${where && `  ${where}`}`;
}

function formatStep({ step, chosen, detail, origin, lost }: Step, width: number): string[] {
  const more = detail ? ` (${detail})` : "";
  const place = origin ? `  ${origin}` : "";
  return [
    `  ${step.padEnd(width)}  ${chosen}${more}${place}`,
    ...(lost ?? []).map((one) => {
      const where = one.origin ? `  ${one.origin}` : "";
      return `  ${"".padEnd(width)}    not ${one.what}: ${one.why}${where}`;
    }),
  ];
}
