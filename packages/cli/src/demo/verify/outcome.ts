/** The result of one outside check. */
export interface Outcome {
  readonly name: string;
  readonly ok: boolean;
  /** What was seen, in figures. */
  readonly seen: string;
}

export function outcome(name: string, ok: boolean, seen: string): Outcome {
  return { name, ok, seen };
}

/** True when `hits` of `total` is within five standard deviations of the share: a wrong weight fails, chance does not. */
export function isNearShare(hits: number, total: number, share: number): boolean {
  const deviation = Math.sqrt(total * share * (1 - share));
  return Math.abs(hits - total * share) <= 5 * deviation + 1;
}

/** `v1 178, v2 22`. */
export function formatCounts(counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts).sort(([a], [b]) => a.localeCompare(b));
  return entries.length > 0 ? entries.map(([key, count]) => `${key} ${count}`).join(", ") : "nothing";
}
