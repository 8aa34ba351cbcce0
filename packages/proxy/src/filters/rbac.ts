import type { DynamicMetadata } from "../layer/dynamic-metadata.ts";
import { noteOnConnection, shareMetadata } from "../layer/dynamic-metadata.ts";
import { routeConfigOf } from "../layer/filter-chain.ts";
import type { HttpFilter } from "../layer/http-filter.ts";
import type { NetworkFilter } from "../layer/network-filter.ts";
import { compileRbac, type RbacEngine, type RbacVerdict, rbacHttpFilterName } from "./rbac-engine.ts";
import type { RbacPlan } from "./rbac-plan.ts";
import type { RbacStats } from "./rbac-stats.ts";

export const rbacNetworkFilterName = "envoy.filters.network.rbac";

/** What a route says about RBAC: other rules, or none at all. @see RBACPerRoute */
export type RbacRouteConfig = RbacEngine | "disabled";

/** A filter that decides by policies, over requests or connections. */
export interface RbacFilter {
  readonly name: string;
  readonly engine: RbacEngine;
}

export function isRbacFilter<Filter extends { readonly name: string }>(
  filter: Filter,
): filter is Filter & RbacFilter {
  return "engine" in filter;
}

export function compileRbacRoute(plan: RbacPlan | undefined): RbacRouteConfig {
  return plan ? compileRbac(plan) : "disabled";
}

/**
 * Refuses requests that the policies do not allow: 403 `RBAC: access denied`,
 * with the deciding policy in the response code details.
 *
 * Stands after everything that establishes who the caller is and before
 * everything that spends work on the request. `name` is the filter's configured
 * name, under which a route's own configuration is found.
 */
export function createRbacFilter(
  plan: RbacPlan,
  stats: RbacStats,
  name = rbacHttpFilterName,
): HttpFilter & RbacFilter {
  const own = compileRbac(plan);
  const countPolicy = (
    { countsPolicies }: RbacEngine,
    { policy, isAllowed }: RbacVerdict,
    isShadow: boolean,
  ) => {
    if (countsPolicies && policy !== undefined) stats.policy(policy, isAllowed, isShadow).add();
  };
  return {
    name,
    engine: own,
    onRequest(exchange) {
      const config = routeConfigOf<RbacRouteConfig>(exchange, name);
      if (config === "disabled") return "continue";
      const engine = config ?? own;
      if (engine.shadow) {
        const verdict = engine.shadow(exchange.connection, exchange);
        (verdict.isAllowed ? stats.shadowAllowed : stats.shadowDenied).add();
        countPolicy(engine, verdict, true);
        shareMetadata(exchange, verdict.notes);
      }
      if (!engine.enforced) return "continue";
      const verdict = engine.enforced(exchange.connection, exchange);
      if (verdict.isLogged !== undefined) {
        shareMetadata(exchange, verdict.isLogged ? matchedHint : unmatchedHint);
      }
      shareMetadata(exchange, verdict.notes);
      countPolicy(engine, verdict, false);
      if (verdict.isAllowed) {
        stats.allowed.add();
        return "continue";
      }
      stats.denied.add();
      exchange.reply(403, "RBAC: access denied", verdict.details);
      return "stop";
    },
  };
}

/** Closes connections that the policies do not allow, before their first byte is read. */
export function createNetworkRbacFilter(
  plan: RbacPlan,
  stats: RbacStats,
  name = rbacNetworkFilterName,
): NetworkFilter & RbacFilter {
  const engine = compileRbac(plan, rbacNetworkFilterName);
  return {
    name,
    engine,
    onConnection(connection) {
      if (engine.shadow) {
        const verdict = engine.shadow(connection, undefined);
        (verdict.isAllowed ? stats.shadowAllowed : stats.shadowDenied).add();
        noteOnConnection(connection, verdict.notes);
      }
      if (!engine.enforced) return true;
      const verdict = engine.enforced(connection, undefined);
      (verdict.isAllowed ? stats.allowed : stats.denied).add();
      if (!verdict.isAllowed) connection.terminationDetails = verdict.details;
      return verdict.isAllowed;
    },
  };
}

const matchedHint = accessLogHint("true");
const unmatchedHint = accessLogHint("false");

function accessLogHint(value: string): DynamicMetadata {
  return new Map([["envoy.common", new Map([["access_log_hint", value]])]]);
}
