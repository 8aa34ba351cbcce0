import type { ServiceEdge } from "@weft/control/dashboard/view";
import { placeName } from "../graph/edge-look.ts";
import { DataTable } from "../panel/data-table.tsx";
import { Empty } from "../panel/panel.tsx";
import { Padlock } from "../panel/signs.tsx";
import { serviceLink } from "../state/location.ts";
import { formatMs, formatRate, formatShare } from "../words/format.ts";

type Row = readonly [id: string, edge: ServiceEdge];

export interface EdgeTableProps {
  readonly edges: readonly Row[];
  /** Leaves the end out that is the same on every line. */
  readonly without?: "from" | "to";
}

/** Paths as a table, the busiest first. */
export function EdgeTable({ edges, without }: EdgeTableProps) {
  if (edges.length === 0) {
    return (
      <Empty
        why="There were no calls and no open connections in the last ten seconds."
        todo={
          <>
            Send some requests; <code>weft status</code> shows whether the data planes are connected.
          </>
        }
      />
    );
  }
  const rows = [...edges].sort(
    ([a, one], [b, other]) =>
      (other.requestsPerSecond ?? 0) - (one.requestsPerSecond ?? 0) || (a < b ? -1 : 1),
  );
  const end = (title: string, which: "from" | "to") => ({
    title,
    cell: ([, edge]: Row) => <Place id={edge[which]} />,
    sort: ([, edge]: Row) => edge[which],
  });
  return (
    <DataTable
      caption="Paths between services"
      rows={rows}
      keyOf={([id]) => id}
      limit={25}
      columns={[
        ...(without === "from" ? [] : [end("From", "from")]),
        ...(without === "to" ? [] : [end("To", "to")]),
        {
          title: "Secured",
          cell: ([, { securedRate }]) => <Padlock securedRate={securedRate} />,
          sort: ([, { securedRate = 2 }]) => securedRate,
        },
        {
          title: "Calls/s",
          isNumber: true,
          cell: ([, edge]) => formatRate(edge.requestsPerSecond),
          sort: ([, edge]) => edge.requestsPerSecond ?? -1,
        },
        {
          title: "Success",
          isNumber: true,
          cell: ([, edge]) => formatShare(edge.successRate),
          sort: ([, edge]) => edge.successRate ?? 2,
        },
        {
          title: "Refused/s",
          isNumber: true,
          cell: ([, edge]) => formatRate(edge.deniedPerSecond),
          sort: ([, edge]) => edge.deniedPerSecond ?? 0,
        },
        {
          title: "p99",
          isNumber: true,
          cell: ([, edge]) => formatMs(edge.p99Ms),
          sort: ([, edge]) => edge.p99Ms ?? -1,
        },
        {
          title: "TCP",
          isNumber: true,
          cell: ([, edge]) => String(edge.tcpConnections || "–"),
          sort: ([, edge]) => edge.tcpConnections,
        },
      ]}
    />
  );
}

/** A service by its name, with the way to its page; a name alone outside the mesh. */
export function Place({ id }: { readonly id: string }) {
  const name = placeName(id);
  if (id.startsWith("/"))
    return <span class="outside-name">{name === "unknown" ? "unknown caller" : name}</span>;
  return <a href={serviceLink(id)}>{name}</a>;
}
