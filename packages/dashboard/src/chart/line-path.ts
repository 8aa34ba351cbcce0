/**
 * An SVG path through the points that have a value. A gap stays a gap, and a
 * point between two gaps is a short dash, so that it can be seen.
 */
export function linePath(
  values: readonly (number | null)[],
  x: (index: number) => number,
  y: (value: number) => number,
): string {
  let path = "";
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value === null || value === undefined) continue;
    const isStart = i === 0 || isGap(values[i - 1]);
    path += `${isStart ? "M" : "L"}${round(x(i))} ${round(y(value))}`;
    if (isStart && isGap(values[i + 1])) path += `h2`;
  }
  return path;
}

function isGap(value: number | null | undefined): boolean {
  return value === null || value === undefined;
}

/** A tenth of a pixel is as exact as a screen. */
export function round(value: number): number {
  return Math.round(value * 10) / 10;
}
