import { round } from "../chart/line-path.ts";
import type { Place } from "./topology-layout.ts";

export interface EdgePath {
  readonly path: string;
  /** Of the curve: its start, the two points that bend it, its end. */
  readonly points: readonly [Point, Point, Point, Point];
}

type Point = readonly [x: number, y: number];

/** A curve from one service to another: forward to the right, backward to the left, within a column bulging out. */
export function edgePath(from: Place, to: Place): EdgePath {
  const isSelf = from === to;
  const isForward = to.x > from.x + from.width / 2;
  const isBackward = to.x + to.width / 2 < from.x;
  const y0 = from.y + Math.min(22, from.height / 2) - (isSelf ? 8 : 0);
  const y1 = to.y + Math.min(22, to.height / 2) + (isSelf ? 8 : 0);
  const x0 = isBackward ? from.x : from.x + from.width;
  const x1 = isForward ? to.x : to.x + to.width;
  const reach = isForward || isBackward ? Math.max(36, Math.abs(x1 - x0) / 2) : 46;
  const c0 = isBackward ? x0 - reach : x0 + reach;
  const c1 = isForward ? x1 - reach : x1 + reach;
  const path = `M${round(x0)} ${round(y0)}C${round(c0)} ${round(y0)} ${round(c1)} ${round(y1)} ${round(x1)} ${round(y1)}`;
  return {
    path,
    points: [
      [x0, y0],
      [c0, y0],
      [c1, y1],
      [x1, y1],
    ],
  };
}
