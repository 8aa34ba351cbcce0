import { printable } from "../output/printable.ts";
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
