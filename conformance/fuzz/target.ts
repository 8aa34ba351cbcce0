/** One reader of bytes from the network, and what must hold of it whatever it is given. */
export interface FuzzTarget {
  readonly name: string;
  /** Well-formed inputs, and broken ones that were once told apart wrongly. */
  readonly seeds: readonly Buffer[];
  /** Pieces that mean something to the reader: they are put where they do not belong. */
  readonly tokens: readonly string[];
  /** Reads `input`, cut at `cuts`. @throws when something does not hold. */
  check(input: Buffer, cuts: readonly number[]): void;
}

/** `bytes` cut in pieces; any numbers serve as cuts. */
export function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  const pieces: Buffer[] = [];
  let start = 0;
  for (const cut of [...at, bytes.length]) {
    if (cut > start) pieces.push(bytes.subarray(start, cut));
    start = Math.max(start, cut);
  }
  return pieces;
}
