/** One destination of a rule, as far as shares are concerned. */
export interface Weighed {
  readonly role: "stable" | "canary" | "other";
  readonly weight: number;
}

/**
 * The weights of a rule where the new version gets this percent of what both
 * have, the rest of it staying with the old one and all others keeping their
 * share; of both where only one stands there. Whole numbers, all larger by one
 * factor where they must be.
 */
export function splitWeights(
  rule: readonly Weighed[],
  percent: number,
): { readonly factor: number; readonly stable: number; readonly canary: number } {
  const both = rule.reduce((sum, { role, weight }) => (role === "other" ? sum : sum + weight), 0);
  const factor = (both * percent) % 100 === 0 ? 1 : 100;
  const canary = (both * factor * percent) / 100;
  return { factor, canary, stable: both * factor - canary };
}
