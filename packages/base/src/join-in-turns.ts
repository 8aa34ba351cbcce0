import type { Clock } from "./clock.ts";

const sliceMs = 1;
/** Pieces between two looks at the clock. */
const piecesPerLook = 8;

/**
 * The pieces, made in slices of about a millisecond, so that what waits for the
 * event loop does not wait for all of it.
 */
export async function gatherInTurns<T>(pieces: Iterable<T>, clock: Clock): Promise<T[]> {
  const parts: T[] = [];
  let startMs = clock.monotonicMs();
  for (const piece of pieces) {
    parts.push(piece);
    if (parts.length % piecesPerLook !== 0 || clock.monotonicMs() - startMs < sliceMs) continue;
    await new Promise<void>((resolve) => setImmediate(resolve));
    startMs = clock.monotonicMs();
  }
  return parts;
}
