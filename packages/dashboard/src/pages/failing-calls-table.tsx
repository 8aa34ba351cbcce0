import type { FailingCalls } from "@weft/control/dashboard/view";
import { DataTable } from "../panel/data-table.tsx";
import { Empty } from "../panel/panel.tsx";
import { failureReason } from "../words/failure-reason.ts";
import { formatIdentity } from "../words/format.ts";
import { Origin } from "./origin.tsx";

/** Why calls fail, and the line that decides about it. */
export function FailingCallsTable({
  failures,
  isKnown,
}: {
  readonly failures: readonly FailingCalls[];
  readonly isKnown: boolean;
}) {
  if (!isKnown) return <p class="note">Nothing is known of it yet.</p>;
  if (failures.length === 0) {
    return (
      <Empty
        why="No call failed or was refused in the last two minutes."
        todo="Failures appear here with their reason."
      />
    );
  }
  return (
    <DataTable
      caption="Failing calls"
      rows={failures}
      keyOf={({ from, version, responseCode, grpcStatus, flags }) =>
        [from, version, responseCode, grpcStatus, flags].join(" ")
      }
      columns={[
        { title: "Calls", isNumber: true, cell: ({ calls }) => String(calls), sort: ({ calls }) => calls },
        { title: "From", cell: ({ from }) => formatIdentity(from), sort: ({ from }) => from },
        {
          title: "Answer",
          cell: ({ responseCode, grpcStatus, flags }) => (
            <span class="nowrap">
              {grpcStatus && grpcStatus !== "0" ? `gRPC ${grpcStatus}` : responseCode}{" "}
              {flags && <code>{flags}</code>}
            </span>
          ),
          sort: ({ responseCode }) => responseCode,
        },
        {
          title: "Why",
          cell: (failure) => (
            <>
              {failureReason(failure)}
              {failure.version && <small> in {failure.version}</small>}
            </>
          ),
        },
        { title: "Decided at", cell: ({ origin }) => <Origin origin={origin} /> },
      ]}
    />
  );
}
