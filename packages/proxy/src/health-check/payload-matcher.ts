/** Whether all `segments` are in `bytes`, one after the other, with anything before, between and after them. */
export function matchesPayload(segments: readonly Buffer[], bytes: Buffer): boolean {
  let at = 0;
  for (const segment of segments) {
    const found = bytes.indexOf(segment, at);
    if (found < 0) return false;
    at = found + segment.length;
  }
  return true;
}
