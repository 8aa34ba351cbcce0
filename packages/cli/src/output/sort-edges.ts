import type { EdgeRow } from "@weft/control/api/protocol";
import { edgeName } from "./edge-ends.ts";

interface Sorting {
  /** What is typed for it. */
  readonly key: string;
  /** The larger comes first; undefined goes last. */
  readonly rank: (row: EdgeRow) => number | undefined;
}

export const sortKeys = {
  rate: { key: "r", rank: (row) => row.requestsPerSecond },
  errors: {
    key: "e",
    rank: ({ successRate = 1, requestsPerSecond = 0 }) => (1 - successRate) * requestsPerSecond,
  },
  latency: { key: "l", rank: (row) => row.p99Ms },
  tcp: { key: "t", rank: (row) => row.tcpConnections },
  names: { key: "n", rank: () => 0 },
} as const satisfies Readonly<Record<string, Sorting>>;

export type SortKey = keyof typeof sortKeys;

/** In the order asked for; equal ones by name, so that lines do not jump. */
export function sortEdges(rows: readonly EdgeRow[], by: SortKey): readonly EdgeRow[] {
  const rank = (row: EdgeRow): number => sortKeys[by].rank(row) ?? Number.NEGATIVE_INFINITY;
  const name = ({ from, to }: EdgeRow): string => `${edgeName(from)} ${edgeName(to)}`;
  const ranked = rows.map((row) => ({ row, rank: rank(row), name: name(row) }));
  ranked.sort((a, b) => (a.rank === b.rank ? (a.name < b.name ? -1 : 1) : b.rank - a.rank));
  return ranked.map(({ row }) => row);
}
