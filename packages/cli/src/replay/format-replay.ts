import type { Difference, ReplayReport } from "./replay-calls.ts";

const verbs: Readonly<Record<Difference["change"], string>> = {
  denied: "would deny",
  allowed: "would allow",
  answered: "would answer on the way",
  reached: "would let through",
  rerouted: "would reroute",
  other: "would treat otherwise",
};

/** What would differ, in a line each: `would deny 312 calls from ratings to details:9080 …`. */
export function formatReplay({ differences }: ReplayReport): string {
  return differences
    .map(({ change, count, caller, target, before, after, origin, example }) => {
      const what = `${verbs[change]} ${plural(count, "call")} from ${caller} to ${target}`;
      const place = origin ? `  ${origin}` : "";
      const how = before === after ? after : `${before} => ${after}`;
      return `${what}${place}\n  ${how}\n  for example ${example}`.replace(
        /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]+/g,
        " ",
      );
    })
    .map((text) => `${text}\n`)
    .join("");
}

export function replaySummary({ calls, unchanged, unknown, differences }: ReplayReport): string {
  const changed = differences.reduce((sum, { count }) => sum + count, 0);
  const rest = unknown > 0 ? `; ${plural(unknown, "call")} of callers that are not known` : "";
  return `${plural(calls, "call")}: ${changed} would differ, ${unchanged} would not${rest}`;
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
