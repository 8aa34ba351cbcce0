import type { EdgePath } from "./edge-path.ts";
import type { Place } from "./topology-layout.ts";

export const labelSize = { width: 104, height: 30 } as const;

/** Where along a curve a label may stand, the best first. */
const shares = [0.5, 0.62, 0.38, 0.74, 0.26] as const;

/**
 * A place on its own curve for the label of each edge, so that few lie on one
 * another or on a service. Those placed first keep the middle; where there is no
 * room at all it is the middle as well.
 */
export function placeLabels(
  paths: ReadonlyMap<string, EdgePath>,
  obstacles: readonly Place[],
): ReadonlyMap<string, readonly [x: number, y: number]> {
  const taken = obstacles.map(({ x, y, width, height }) => ({ x, y, right: x + width, bottom: y + height }));
  const placed = new Map<string, readonly [number, number]>();
  for (const [id, path] of paths) {
    const candidates = shares.map((share) => pointAt(path, share));
    const best =
      candidates.find((point) => !taken.some((one) => overlaps(one, boxAround(point)))) ?? candidates[0]!;
    placed.set(id, best);
    taken.push(boxAround(best));
  }
  return placed;
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly right: number;
  readonly bottom: number;
}

function boxAround([x, y]: readonly [number, number]): Box {
  const { width, height } = labelSize;
  return { x: x - width / 2, y: y - height / 2, right: x + width / 2, bottom: y + height / 2 };
}

function overlaps(a: Box, b: Box): boolean {
  return a.x < b.right && b.x < a.right && a.y < b.bottom && b.y < a.bottom;
}

/** A point of a cubic Bézier curve. */
function pointAt({ points }: EdgePath, t: number): readonly [number, number] {
  const [a, b, c, d] = points;
  const at = (i: 0 | 1): number =>
    (1 - t) ** 3 * a[i] + 3 * (1 - t) ** 2 * t * b[i] + 3 * (1 - t) * t ** 2 * c[i] + t ** 3 * d[i];
  return [Math.round(at(0)), Math.round(at(1))];
}
