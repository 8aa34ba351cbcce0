import { rankNodes } from "./rank-nodes.ts";

export interface LayoutNode {
  readonly id: string;
  readonly namespace: string;
  readonly height: number;
}

export interface LayoutEdge {
  readonly from: string;
  readonly to: string;
}

export interface Place {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface TopologyLayout {
  readonly nodes: ReadonlyMap<string, Place>;
  /** By namespace. */
  readonly boxes: ReadonlyMap<string, Place>;
  readonly width: number;
  readonly height: number;
}

export const nodeWidth = 172;
const columnGap = 168;
const rowGap = 16;
const boxPadding = 18;
const boxTitle = 28;
const boxGap = 36;
/** Rows of a column before it becomes two. */
const maxRows = 12;
/** Columns of a box, but for those that are too long. */
const deepest = 9;

/**
 * Places services in columns by how deep in the calls they stand, callers left
 * of what they call, each namespace in a box of its own. The same mesh gives the
 * same picture. A dense one stands closer.
 */
export function layoutTopology(
  nodes: readonly LayoutNode[],
  edges: readonly LayoutEdge[],
  isDense = false,
): TopologyLayout {
  const sorted = [...nodes].sort((a, b) => (a.id < b.id ? -1 : 1));
  const ranks = rankNodes(
    sorted.map(({ id }) => id),
    edges,
    deepest,
  );
  const rankOf = (node: LayoutNode): number => ranks.get(node.id) ?? 0;
  const groups = [...Map.groupBy(sorted, ({ namespace }) => namespace)].map(([namespace, members]) => ({
    namespace,
    mean: members.reduce((sum, node) => sum + rankOf(node), 0) / members.length,
    ...layoutBox(members, edges, rankOf, isDense ? columnGap / 3 : columnGap),
  }));
  groups.sort((a, b) => a.mean - b.mean || (a.namespace < b.namespace ? -1 : 1));
  const area = groups.reduce((sum, { width, height }) => sum + (width + boxGap) * (height + boxGap), 0);
  const shelfWidth = Math.max(Math.sqrt(area * 3.6), ...groups.map(({ width }) => width));
  const placed = new Map<string, Place>();
  const boxes = new Map<string, Place>();
  let [x, y, shelfHeight, fullWidth] = [0, 0, 0, 0];
  for (const { namespace, width, height, places } of groups) {
    if (x > 0 && x + width > shelfWidth) {
      x = 0;
      y += shelfHeight + boxGap;
      shelfHeight = 0;
    }
    boxes.set(namespace, { x, y, width, height });
    for (const [id, place] of places) placed.set(id, { ...place, x: place.x + x, y: place.y + y });
    x += width + boxGap;
    fullWidth = Math.max(fullWidth, x - boxGap);
    shelfHeight = Math.max(shelfHeight, height);
  }
  return { nodes: placed, boxes, width: fullWidth, height: y + shelfHeight };
}

function layoutBox(
  members: readonly LayoutNode[],
  edges: readonly LayoutEdge[],
  rankOf: (node: LayoutNode) => number,
  gap: number,
): { readonly width: number; readonly height: number; readonly places: ReadonlyMap<string, Place> } {
  const byRank = [...Map.groupBy(members, rankOf)].sort(([a], [b]) => a - b);
  const columns = byRank.flatMap(([, column]) => inRows(ordered(column, edges, members)));
  const heightOf = (column: readonly LayoutNode[]): number =>
    column.reduce((sum, { height }) => sum + height + rowGap, -rowGap);
  const tallest = Math.max(...columns.map(heightOf));
  const places = new Map<string, Place>();
  columns.forEach((column, i) => {
    let y = boxTitle + (tallest - heightOf(column)) / 2;
    for (const { id, height } of column) {
      places.set(id, { x: boxPadding + i * (nodeWidth + gap), y, width: nodeWidth, height });
      y += height + rowGap;
    }
  });
  return {
    width: 2 * boxPadding + columns.length * nodeWidth + (columns.length - 1) * gap,
    height: boxTitle + tallest + boxPadding,
    places,
  };
}

/** By the middle of who calls them, so that lines cross less; then by name. */
function ordered(
  column: readonly LayoutNode[],
  edges: readonly LayoutEdge[],
  members: readonly LayoutNode[],
): readonly LayoutNode[] {
  const index = new Map(members.map(({ id }, i) => [id, i]));
  const ids = new Set(column.map(({ id }) => id));
  const callers = Map.groupBy(
    edges.filter(({ from, to }) => ids.has(to) && index.has(from)),
    ({ to }) => to,
  );
  const middle = (id: string): number => {
    const all = callers.get(id) ?? [];
    return all.length === 0
      ? members.length
      : all.reduce((sum, { from }) => sum + index.get(from)!, 0) / all.length;
  };
  const keyed = column.map((node) => ({ node, middle: middle(node.id) }));
  return keyed
    .sort((a, b) => a.middle - b.middle || (a.node.id < b.node.id ? -1 : 1))
    .map(({ node }) => node);
}

function inRows(column: readonly LayoutNode[]): (readonly LayoutNode[])[] {
  const count = Math.ceil(column.length / maxRows);
  const rows = Math.ceil(column.length / count);
  return Array.from({ length: count }, (_, i) => column.slice(i * rows, (i + 1) * rows));
}
