import type { ServiceEdge } from "@weft/control/dashboard/view";
import { placeName } from "../graph/edge-look.ts";
import { Empty } from "../panel/panel.tsx";
import { formatIdentity, formatRate } from "../words/format.ts";
import type { CallMatrix } from "./call-matrix.ts";
import { Place } from "./edge-table.tsx";

/** Callers in rows, what they called in columns: a sign and a word for each pair. */
export function MatrixTable({ matrix }: { readonly matrix: CallMatrix }) {
  const { callers, callees, cells, left } = matrix;
  if (callers.length === 0) {
    return (
      <Empty
        why="Nobody has called anybody in the last ten seconds."
        todo={
          <>
            Send some requests, or look at who may: <code>weft get authorizationpolicies</code>
          </>
        }
      />
    );
  }
  return (
    <div class="table-frame">
      <table class="matrix">
        <caption class="unseen">Callers in rows, callees in columns</caption>
        <thead>
          <tr>
            <th scope="col">Caller</th>
            {callees.map((id) => (
              <th key={id} scope="col" title={id}>
                <span>{placeName(id)}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {callers.map((from) => (
            <tr key={from}>
              <th scope="row">
                <Place id={from} />
                <small>{identityOf(cells.get(from))}</small>
              </th>
              {callees.map((to) => (
                <Cell key={to} edge={cells.get(from)?.get(to)} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      <p class="note">
        <b class="cell-sign secured">●</b> mutual TLS <b class="cell-sign plain">○</b> plaintext{" "}
        <b class="cell-sign refused">⊘</b> some or all refused
        {left > 0 && ` · ${left} callers and callees with fewer calls are not shown: weft edges has all`}
      </p>
    </div>
  );
}

function Cell({ edge }: { readonly edge: ServiceEdge | undefined }) {
  if (!edge) return <td />;
  const { requestsPerSecond, deniedPerSecond = 0, securedRate, tcpConnections } = edge;
  const isSecured = securedRate === undefined || securedRate > 0.999;
  const [sign, kind, word] =
    deniedPerSecond > 0
      ? (["⊘", "refused", `${formatRate(deniedPerSecond)}/s refused`] as const)
      : isSecured
        ? (["●", "secured", "mutual TLS"] as const)
        : (["○", "plain", "plaintext"] as const);
  const amount =
    requestsPerSecond === undefined ? `${tcpConnections} TCP` : `${formatRate(requestsPerSecond)}/s`;
  return (
    <td title={`${placeName(edge.from)} → ${placeName(edge.to)}: ${amount}, ${word}`}>
      <span class={`cell-sign ${kind}`} aria-hidden="true">
        {sign}
      </span>{" "}
      {amount}
      <span class="unseen">, {word}</span>
    </td>
  );
}

function identityOf(row: ReadonlyMap<string, ServiceEdge> | undefined): string {
  const [first] = row?.values() ?? [];
  return first?.fromIdentity ? formatIdentity(first.fromIdentity) : "no identity";
}
