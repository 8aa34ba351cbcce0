import type { HistoryReport } from "@weft/control/api/protocol";

export interface HeatCell {
  readonly column: number;
  readonly row: number;
  /** Of the fullest cell, 0–1, by its root so that few calls are still seen. */
  readonly share: number;
  readonly count: number;
  readonly fromMs: number;
  /** Undefined above every bound. */
  readonly toMs: number | undefined;
}

export interface HeatCells {
  readonly cells: readonly HeatCell[];
  readonly rows: number;
  /** Where the axis says which bound. */
  readonly labels: readonly { readonly row: number; readonly ms: number }[];
}

/** The cells that hold calls, without the buckets above and below all of them; one to spare on either side. */
export function heatCells({ heat }: Pick<HistoryReport, "heat">): HeatCells {
  if (!heat) return { cells: [], rows: 1, labels: [] };
  const { boundsMs, counts } = heat;
  const used = boundsMs.map((_, i) => i).concat(boundsMs.length);
  const isUsed = (bucket: number) => counts.some((column) => (column[bucket] ?? 0) > 0);
  const first = Math.max(0, (used.find(isUsed) ?? 0) - 1);
  const last = Math.min(boundsMs.length, (used.findLast(isUsed) ?? 0) + 1);
  const most = Math.max(1, ...counts.flat());
  const cells = counts.flatMap((column, i) =>
    column.flatMap((count, bucket) =>
      count === 0 || bucket < first || bucket > last
        ? []
        : {
            column: i,
            row: bucket - first,
            share: Math.sqrt(count / most),
            count,
            fromMs: bucket === 0 ? 0 : boundsMs[bucket - 1]!,
            toMs: boundsMs[bucket],
          },
    ),
  );
  const rows = last - first + 1;
  const every = Math.ceil(rows / 6);
  const labels = Array.from({ length: rows }, (_, i) => i)
    .filter((i) => i % every === 0 && boundsMs[first + i] !== undefined)
    .map((i) => ({ row: i + 1, ms: boundsMs[first + i]! }));
  return { cells, rows, labels };
}
