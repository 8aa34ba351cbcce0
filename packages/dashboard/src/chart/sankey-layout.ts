import { round } from "./line-path.ts";

export interface SankeyItem {
  readonly id: string;
  readonly label: string;
  readonly value: number;
}

/** A bar of the picture. */
export interface SankeyBar extends SankeyItem {
  readonly y: number;
  readonly height: number;
}

/** A band between the middle and a bar; `path` is a closed SVG path. */
export interface SankeyBand {
  readonly id: string;
  readonly path: string;
}

export interface SankeyLayout {
  readonly left: readonly SankeyBar[];
  readonly middle: { readonly y: number; readonly height: number };
  readonly right: readonly SankeyBar[];
  readonly bands: readonly SankeyBand[];
}

export interface SankeySpace {
  readonly height: number;
  /** Left edges of the three columns, and how wide their bars are. */
  readonly columns: readonly [number, number, number];
  readonly barWidth: number;
  readonly gap: number;
}

const thinnest = 2;

/** What comes in from the left and goes out to the right through one thing in the middle; bars are as high as their share. */
export function sankeyLayout(
  left: readonly SankeyItem[],
  right: readonly SankeyItem[],
  space: SankeySpace,
): SankeyLayout {
  const room = space.height - space.gap * Math.max(0, left.length - 1, right.length - 1);
  const middleHeight = Math.max(thinnest, room);
  const middle = { y: (space.height - middleHeight) / 2, height: middleHeight };
  const [x0, x1, x2] = space.columns;
  const side = (items: readonly SankeyItem[]): SankeyBar[] => {
    const total = items.reduce((sum, { value }) => sum + value, 0);
    const used = room + space.gap * Math.max(0, items.length - 1);
    let y = (space.height - used) / 2;
    return items.map((item) => {
      const height = Math.max(thinnest, total > 0 ? (item.value / total) * room : room / items.length);
      const bar = { ...item, y, height };
      y += height + space.gap;
      return bar;
    });
  };
  const bands = (bars: readonly SankeyBar[], from: number, to: number, isLeft: boolean): SankeyBand[] => {
    const total = bars.reduce((sum, { height }) => sum + height, 0);
    let at = middle.y;
    return bars.map((bar) => {
      const share = total > 0 ? (bar.height / total) * middle.height : 0;
      const inside = { y: at, height: share };
      at += share;
      return { id: bar.id, path: isLeft ? band(from, bar, to, inside) : band(from, inside, to, bar) };
    });
  };
  const leftBars = side(left);
  const rightBars = side(right);
  return {
    left: leftBars,
    middle,
    right: rightBars,
    bands: [
      ...bands(leftBars, x0 + space.barWidth, x1, true),
      ...bands(rightBars, x1 + space.barWidth, x2, false),
    ],
  };
}

interface Span {
  readonly y: number;
  readonly height: number;
}

function band(x0: number, a: Span, x1: number, b: Span): string {
  const middle = round((x0 + x1) / 2);
  const top = `M${round(x0)} ${round(a.y)}C${middle} ${round(a.y)} ${middle} ${round(b.y)} ${round(x1)} ${round(b.y)}`;
  const [aEnd, bEnd] = [round(a.y + a.height), round(b.y + b.height)];
  return `${top}V${bEnd}C${middle} ${bEnd} ${middle} ${aEnd} ${round(x0)} ${aEnd}Z`;
}
