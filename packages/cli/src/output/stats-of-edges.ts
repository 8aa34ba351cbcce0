import type { EdgeReport, EdgeRow, StatsRow } from "@weft/control/api/protocol";
import { isEnd } from "./edge-ends.ts";

/**
 * Golden signals of the calls between two ends: with `from` one row for each that
 * is called, otherwise one for each caller. How many instances there are is
 * that of the row's own line in `rows`; an end outside the mesh has none.
 */
export function statsOfEdges(
  rows: readonly StatsRow[],
  edges: EdgeReport,
  { from, to }: { readonly from?: string; readonly to?: string },
): readonly StatsRow[] {
  const known = new Map(rows.map((row) => [`${row.namespace}/${row.name}`, row]));
  return edges.rows
    .filter(
      (edge) => (from === undefined || isEnd(edge.from, from)) && (to === undefined || isEnd(edge.to, to)),
    )
    .map(({ from: caller, to: called, ...signals }: EdgeRow) => {
      const { namespace, name, identity } = from === undefined ? caller : called;
      const own = known.get(`${namespace}/${name}`);
      const { service = "", version = "", meshed = 0, instances = 0 } = own ?? {};
      const peers = caller.identity === "" ? [] : [caller.identity];
      return { name, namespace, service, version, meshed, instances, identity, peers, ...signals };
    });
}
