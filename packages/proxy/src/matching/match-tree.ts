import type { DownstreamConnection } from "../layer/downstream-connection.ts";
import type { Exchange } from "../layer/exchange.ts";

/** What is known of a connection; of one whose filter chain is still to be chosen also what it seems to speak. */
export interface MatchedConnection
  extends Pick<
    DownstreamConnection,
    "local" | "remote" | "directRemote" | "metadata" | "requestedServerName" | "peer"
  > {
  readonly transportProtocol?: string;
  readonly applicationProtocols?: readonly string[];
}

type About<Answer> = (connection: MatchedConnection, exchange: Exchange | undefined) => Answer;

/** What a matcher looks at, of a request or of a connection alone; undefined where there is no such thing. */
export type MatchInput = About<string | undefined>;
/** A compiled predicate. */
export type MatchTest = About<boolean>;
/**
 * A compiled matcher: the action it comes to, or undefined when it matches nothing.
 *
 * @see xds.type.matcher.v3.Matcher
 */
export type MatchTree<Action> = About<Action | undefined>;

export interface MatchListEntry<Action> {
  readonly test: MatchTest;
  readonly onMatch: MatchTree<Action>;
}

/** The first entry that matches and comes to an action; a tree that comes to none leaves it to the next entry. */
export function matchList<Action>(
  entries: readonly MatchListEntry<Action>[],
  otherwise: MatchTree<Action> | undefined,
): MatchTree<Action> {
  return (connection, exchange) => {
    for (const { test, onMatch } of entries) {
      if (!test(connection, exchange)) continue;
      const action = onMatch(connection, exchange);
      if (action !== undefined) return action;
    }
    return otherwise?.(connection, exchange);
  };
}

/** What stands under exactly the value of `input`. */
export function matchExactly<Action>(
  input: MatchInput,
  branches: ReadonlyMap<string, MatchTree<Action>>,
  otherwise: MatchTree<Action> | undefined,
): MatchTree<Action> {
  return (connection, exchange) => {
    const value = input(connection, exchange);
    const branch = value === undefined ? undefined : branches.get(value);
    return branch?.(connection, exchange) ?? otherwise?.(connection, exchange);
  };
}

/** What stands under the longest prefix of the value of `input` that comes to an action. */
export function matchLongestPrefix<Action>(
  input: MatchInput,
  branches: ReadonlyMap<string, MatchTree<Action>>,
  otherwise: MatchTree<Action> | undefined,
): MatchTree<Action> {
  const lengths = [...new Set([...branches.keys()].map(({ length }) => length))].sort((a, b) => b - a);
  return (connection, exchange) => {
    const value = input(connection, exchange);
    if (value !== undefined) {
      for (const length of lengths) {
        if (length > value.length) continue;
        const action = branches.get(value.slice(0, length))?.(connection, exchange);
        if (action !== undefined) return action;
      }
    }
    return otherwise?.(connection, exchange);
  };
}

/** Whether the value of `input` passes; what is not there does not. */
export function testInput(input: MatchInput, passes: (value: string) => boolean): MatchTest {
  return (connection, exchange) => {
    const value = input(connection, exchange);
    return value !== undefined && passes(value);
  };
}

export function negate(test: MatchTest): MatchTest {
  return (connection, exchange) => !test(connection, exchange);
}

export function everyOf(tests: readonly MatchTest[]): MatchTest {
  return (connection, exchange) => {
    for (const test of tests) if (!test(connection, exchange)) return false;
    return true;
  };
}

export function someOf(tests: readonly MatchTest[]): MatchTest {
  return (connection, exchange) => {
    for (const test of tests) if (test(connection, exchange)) return true;
    return false;
  };
}
