/** Finer than any weight and any fraction: they add up to less than 2³². */
const finest = 2 ** -34;

/** One of the things a draw may come to. */
export interface DrawShare<Choice> {
  readonly choice: Choice;
  /** Of all draws, 0 to 1. */
  readonly share: number;
  /** A draw that comes to it. */
  readonly random: number;
}

/**
 * What draws come to, and how often, found by asking the choice itself:
 * `choose` gives the same object for the same thing, and things in order as
 * `random` goes from 0 to 1. At least one; what is rarer than can be written
 * is left out.
 */
export function drawShares<Choice>(choose: (random: number) => Choice): DrawShare<Choice>[] {
  const found: { choice: Choice; share: number; random: number }[] = [];
  const add = (choice: Choice, share: number, random: number) => {
    const last = found.at(-1);
    if (last?.choice === choice) last.share += share;
    else found.push({ choice, share, random });
  };
  const visit = (low: number, first: Choice, high: number, last: Choice): void => {
    if (first === last || high - low < finest) {
      add(first, high - low, low);
      return;
    }
    const middle = (low + high) / 2;
    const between = choose(middle);
    visit(low, first, middle, between);
    visit(middle, between, high, last);
  };
  visit(0, choose(0), 1, choose(1 - finest));
  // Weights are whole numbers: what the search left over is rounded away.
  return found
    .filter(({ share }) => share > finest * 4)
    .map((one) => ({ ...one, share: Math.round(one.share * 1e6) / 1e6 }));
}
