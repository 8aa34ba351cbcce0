import type { DownstreamConnection } from "../layer/downstream-connection.ts";
import type { Exchange } from "../layer/exchange.ts";
import type { RequestHead } from "../layer/message.ts";
import { anyOf, barePath, compilePermission, compilePrincipal, type Test } from "./rbac-conditions.ts";
import { PathIndex } from "./rbac-path-index.ts";
import type { RbacPermission, RbacPolicy, RbacPrincipal } from "./rbac-plan.ts";
import { canMeetAny } from "./rbac-reach.ts";

/** One policy, ready to be asked; `Verdict` is what it says when it matches. */
export interface CompiledPolicy<Verdict> {
  readonly permits: Test;
  readonly applies: Test;
  readonly verdict: Verdict;
  /** False where no request on a connection can match. */
  readonly isWithinReach: (connection: DownstreamConnection) => boolean;
}

export function compilePolicy<Verdict>(
  { permissions, principals }: RbacPolicy,
  verdict: Verdict,
): CompiledPolicy<Verdict> {
  const canPermit = canMeetAny(permissions, (one) => onConnection(compilePermission(one as RbacPermission)));
  const canApply = canMeetAny(principals, (one) => onConnection(compilePrincipal(one as RbacPrincipal)));
  return {
    permits: anyOf(permissions.map(compilePermission)),
    applies: anyOf(principals.map(compilePrincipal)),
    verdict,
    isWithinReach: (connection) => canPermit(connection) && canApply(connection),
  };
}

export function matchesPolicy(
  { permits, applies }: CompiledPolicy<unknown>,
  connection: DownstreamConnection,
  exchange: Exchange | undefined,
): boolean {
  return permits(connection, exchange) && applies(connection, exchange);
}

function onConnection(test: Test): (connection: DownstreamConnection) => boolean {
  return (connection) => test(connection, undefined);
}

/**
 * The first of many policies that matches, without asking all of them: those
 * that name paths are found by the path of the request, and of the others those
 * that name another caller are left out once for each connection.
 */
export function policyChoice<Verdict>(
  sorted: readonly RbacPolicy[],
  policies: readonly CompiledPolicy<Verdict>[],
) {
  const index = new PathIndex(sorted);
  const within = new WeakMap<DownstreamConnection, readonly number[]>();
  const openTo = (connection: DownstreamConnection): readonly number[] => {
    let places = within.get(connection);
    if (!places) {
      const all = index.open.filter((place) => policies[place]!.isWithinReach(connection));
      places = all.length === index.open.length ? index.open : all;
      within.set(connection, places);
    }
    return places;
  };
  let first = 0;
  let asking: readonly [DownstreamConnection, Exchange] | undefined;
  const onFound = (place: number): void => {
    if (place < first && matchesPolicy(policies[place]!, asking![0], asking![1])) first = place;
  };
  return (
    connection: DownstreamConnection,
    exchange: Exchange,
    { path }: RequestHead,
  ): CompiledPolicy<Verdict> | undefined => {
    first = policies.length;
    asking = [connection, exchange];
    index.visit(barePath(path), onFound);
    asking = undefined;
    for (const place of openTo(connection)) {
      if (place > first) break;
      if (matchesPolicy(policies[place]!, connection, exchange)) return policies[place];
    }
    return policies[first];
  };
}
