import type { ServiceEdge } from "@weft/control/dashboard/view";

export interface CallMatrix {
  readonly callers: readonly string[];
  readonly callees: readonly string[];
  /** By caller and callee. */
  readonly cells: ReadonlyMap<string, ReadonlyMap<string, ServiceEdge>>;
  /** Callers and callees that are not shown. */
  readonly left: number;
}

const most = 24;

/** Who called whom as a matrix: the busiest callers and what they call, in order of names. */
export function callMatrix(edges: readonly ServiceEdge[]): CallMatrix {
  const weight = ({ requestsPerSecond = 0, tcpConnections }: ServiceEdge): number =>
    requestsPerSecond + tcpConnections;
  const callers = busiest(
    Map.groupBy(edges, ({ from }) => from),
    weight,
  );
  const callees = busiest(
    Map.groupBy(edges, ({ to }) => to),
    weight,
  );
  const cells = new Map<string, Map<string, ServiceEdge>>();
  for (const edge of edges) {
    const row = cells.get(edge.from) ?? new Map<string, ServiceEdge>();
    cells.set(edge.from, row.set(edge.to, edge));
  }
  return { callers: callers.shown, callees: callees.shown, cells, left: callers.left + callees.left };
}

function busiest(
  groups: ReadonlyMap<string, readonly ServiceEdge[]>,
  weight: (edge: ServiceEdge) => number,
): { readonly shown: readonly string[]; readonly left: number } {
  const ranked = [...groups]
    .map(([id, edges]) => ({ id, weight: edges.reduce((sum, edge) => sum + weight(edge), 0) }))
    .sort((a, b) => b.weight - a.weight || (a.id < b.id ? -1 : 1));
  return {
    shown: ranked
      .slice(0, most)
      .map(({ id }) => id)
      .sort(),
    left: Math.max(0, ranked.length - most),
  };
}
