import { limits } from "../../config/parse-documents.ts";
import type { HttpRoute } from "../routing.ts";

/** A route of one match, and how specific it is: the greater number at the first difference goes before. */
export interface RankedRoute {
  readonly route: HttpRoute;
  readonly rank: readonly number[];
}

/**
 * The most specific first. Those alike stay in the order they are given in,
 * which is by age of their resource, then by its namespace and name, then by
 * their place in it.
 */
export function byRank(routes: readonly RankedRoute[]): HttpRoute[] {
  return routes.toSorted((a, b) => compareRanks(b.rank, a.rank)).map(({ route }) => route);
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (const [i, value] of a.entries()) if (value !== b[i]) return value - b[i]!;
  return 0;
}

/** The most matches of one port and audience. */
export const maxMatches = limits.matches;
