import { isInRange, type ParsedRange, parseAddress } from "../net/cidr.ts";
import type { MatchInput, MatchTree } from "./match-tree.ts";

export interface RangeBranch<Action> {
  readonly range: ParsedRange;
  /** Counts only where no narrower range holds the address. */
  readonly isExclusive: boolean;
  readonly onMatch: MatchTree<Action>;
}

/**
 * What stands under the narrowest range that holds the address; where that
 * comes to nothing, under the next wider one.
 *
 * @see xds.type.matcher.v3.IPMatcher
 */
export function matchRanges<Action>(
  input: MatchInput,
  branches: readonly RangeBranch<Action>[],
  otherwise: MatchTree<Action> | undefined,
): MatchTree<Action> {
  const sorted = branches.toSorted((a, b) => b.range.prefixLength - a.range.prefixLength);
  return (connection, exchange) => {
    const address = input(connection, exchange);
    const groups = address === undefined ? undefined : parseAddress(address);
    let isFirst = true;
    if (groups) {
      for (const { range, isExclusive, onMatch } of sorted) {
        if ((isExclusive && !isFirst) || !isInRange(groups, range)) continue;
        const action = onMatch(connection, exchange);
        if (action !== undefined) return action;
        isFirst = false;
      }
    }
    return otherwise?.(connection, exchange);
  };
}

/**
 * What stands under the name, then under `*.` and its longest ending, then
 * under `*`; where one comes to nothing the next is asked. Names are in lower case.
 *
 * @see xds.type.matcher.v3.ServerNameMatcher
 */
export function matchServerName<Action>(
  input: MatchInput,
  branches: ReadonlyMap<string, MatchTree<Action>>,
  otherwise: MatchTree<Action> | undefined,
): MatchTree<Action> {
  return (connection, exchange) => {
    const name = input(connection, exchange)?.toLowerCase();
    if (name !== undefined) {
      for (const candidate of candidatesOf(name)) {
        const action = branches.get(candidate)?.(connection, exchange);
        if (action !== undefined) return action;
      }
    }
    return otherwise?.(connection, exchange);
  };
}

function* candidatesOf(name: string): Iterable<string> {
  yield name;
  for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) yield `*${name.slice(dot)}`;
  yield "*";
}
