import type { RecentFailure } from "@weft/control/dashboard/view";
import { DataTable } from "../panel/data-table.tsx";
import { Empty } from "../panel/panel.tsx";
import { formatLocation } from "../state/location.ts";
import { formatTime } from "../words/format.ts";
import { Origin } from "./origin.tsx";

/** Single requests that failed, each with what decided and the way to its explanation. */
export function RecentFailuresTable({
  failures,
  isKnown,
}: {
  readonly failures: readonly RecentFailure[];
  readonly isKnown: boolean;
}) {
  if (!isKnown) return <p class="note">Asking the data planes…</p>;
  if (failures.length === 0) {
    return (
      <Empty
        why="No data plane remembers a request to it that failed."
        todo="Each remembers its last 256; those of busy ones are soon many."
      />
    );
  }
  return (
    <DataTable
      caption="Recent failing requests"
      rows={failures}
      limit={20}
      keyOf={({ at, atMs, requestId }) => `${at} ${atMs} ${requestId}`}
      columns={[
        {
          title: "At",
          cell: ({ atMs }) => <span class="nowrap">{formatTime(atMs)}</span>,
          sort: ({ atMs }) => atMs,
        },
        { title: "From", cell: ({ from }) => from, sort: ({ from }) => from },
        {
          title: "Request",
          cell: ({ method, path, requestId }) => {
            const text = `${method} ${path}`;
            if (requestId === "") return <code>{text}</code>;
            const href = formatLocation({ page: "request", options: { request: requestId } });
            return (
              <a href={href} aria-label={`explain ${text}`}>
                <code>{text}</code>
              </a>
            );
          },
        },
        {
          title: "Answer",
          cell: ({ status, flags }) => (
            <span class="nowrap">
              {status || "none"} {flags && <code>{flags}</code>}
            </span>
          ),
          sort: ({ status }) => status,
        },
        { title: "Why", cell: ({ details, decidedBy }) => decidedBy || details },
        { title: "Decided at", cell: ({ origin }) => <Origin origin={origin} /> },
      ]}
    />
  );
}
