import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

export interface DataColumn<Row> {
  readonly title: string;
  readonly cell: (row: Row) => ComponentChildren;
  /** What it is sorted by; absent: it is not. */
  readonly sort?: (row: Row) => string | number;
  readonly isNumber?: boolean;
}

export interface DataTableProps<Row> {
  readonly caption: string;
  readonly columns: readonly DataColumn<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  /** Rows shown at first; the rest at the press of a button. */
  readonly limit?: number;
}

/** A table that can be sorted by its heads; as it was given until one is pressed. */
export function DataTable<Row>({ caption, columns, rows, keyOf, limit = 100 }: DataTableProps<Row>) {
  const [order, setOrder] = useState<{ readonly column: number; readonly isUp: boolean } | undefined>();
  const [isWhole, setWhole] = useState(false);
  const sort = order && columns[order.column]?.sort;
  const sorted = sort ? sortRows(rows, sort, order.isUp) : rows;
  const shown = isWhole ? sorted : sorted.slice(0, limit);
  const press = (column: number) =>
    setOrder(
      order?.column === column
        ? { column, isUp: !order.isUp }
        : { column, isUp: columns[column]?.isNumber !== true },
    );
  return (
    <div class="table-frame">
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ title, isNumber, sort: by }, i) => (
              <th
                key={title}
                scope="col"
                class={isNumber ? "number" : ""}
                aria-sort={order?.column === i ? (order.isUp ? "ascending" : "descending") : undefined}
              >
                {by ? (
                  <button type="button" onClick={() => press(i)}>
                    {title}
                    <span aria-hidden="true">{order?.column === i ? (order.isUp ? " ↑" : " ↓") : ""}</span>
                  </button>
                ) : (
                  title
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map(({ title, cell, isNumber }) => (
                <td key={title} class={isNumber ? "number" : ""}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {shown.length < sorted.length && (
        <button type="button" class="more" onClick={() => setWhole(true)}>
          Show all {sorted.length}
        </button>
      )}
    </div>
  );
}

function sortRows<Row>(
  rows: readonly Row[],
  by: (row: Row) => string | number,
  isUp: boolean,
): readonly Row[] {
  const keyed = rows.map((row, i) => ({ row, key: by(row), i }));
  const sign = isUp ? 1 : -1;
  keyed.sort((a, b) => (a.key === b.key ? a.i - b.i : a.key < b.key ? -sign : sign));
  return keyed.map(({ row }) => row);
}
