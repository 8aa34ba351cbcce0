import type { Counter } from "@weft/base/metric-registry";
import { noteMetadata } from "../../layer/dynamic-metadata.ts";
import { routeConfigOf } from "../../layer/filter-chain.ts";
import type { FilterExchange } from "../../layer/filter-exchange.ts";
import type { HttpFilter } from "../../layer/http-filter.ts";
import type { RequestHead } from "../../layer/message.ts";
import type { RoutePredicate } from "../../route/route-predicate.ts";
import type { EnvoyStats } from "../../telemetry/envoy-stats.ts";
import { type JwtFailure, jwtFailures } from "./jwt-failure.ts";
import type { VerificationContext } from "./jwt-provider.ts";
import type { Verify } from "./jwt-requirement.ts";

/** Under this name claims stand in dynamic metadata, whatever the filter is called. */
export const jwtMetadataName = "envoy.filters.http.jwt_authn";

/** Filter state of a request that was refused: the name of the provider whose token was bad or missing. */
export const refusingProviderState = "envoy.filters.http.jwt_authn.refused_by";

/** What applies to the requests of a rule; undefined asks for nothing. */
export interface JwtRule {
  readonly matches: RoutePredicate;
  readonly verify: Verify | undefined;
}

/** @see envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication */
export interface JwtAuthnPlan {
  /** The first that matches applies; a request that none matches needs no token. */
  readonly rules: readonly JwtRule[];
  readonly requirements: ReadonlyMap<string, Verify>;
  readonly bypassesPreflight: boolean;
  /** Tells a client that is refused nothing but the status. */
  readonly stripsFailure: boolean;
}

/** What a route asks for in place of the rules: a requirement by its name, or nothing. @see PerRouteConfig */
export type JwtRouteConfig = "disabled" | { readonly requirement: string };

/** Envoy's `http.<stat_prefix>.jwt_authn.*` counters. */
export interface JwtAuthnStats {
  readonly allowed: Counter;
  readonly denied: Counter;
  readonly preflightBypassed: Counter;
  readonly keysFetched: Counter;
  readonly keysFailed: Counter;
  readonly cacheHits: Counter;
  readonly cacheMisses: Counter;
}

export function jwtAuthnStats(stats: EnvoyStats, statPrefix: string, ownPrefix: string): JwtAuthnStats {
  const own = ownPrefix === "" ? "" : `${ownPrefix}.`;
  const counter = (name: string) =>
    stats.counter(`http.{envoy_http_conn_manager_prefix}.jwt_authn.${own}${name}`, statPrefix);
  return {
    allowed: counter("allowed"),
    denied: counter("denied"),
    preflightBypassed: counter("cors_preflight_bypassed"),
    keysFetched: counter("jwks_fetch_success"),
    keysFailed: counter("jwks_fetch_failed"),
    cacheHits: counter("jwt_cache_hit"),
    cacheMisses: counter("jwt_cache_miss"),
  };
}

/**
 * Lets requests through that bring the tokens their rule asks for, and makes
 * the claims of verified tokens known to later filters, the route and the
 * service. Stands before authorization, which reads the claims.
 *
 * A request waits only while keys are fetched; otherwise it is judged at once.
 */
export function createJwtAuthnFilter(plan: JwtAuthnPlan, stats: JwtAuthnStats, name: string): HttpFilter {
  const unknownRequirement = (requirement: string) =>
    `Wrong requirement_name: ${requirement}. It should be one of [${[...plan.requirements.keys()].sort().join(",")}]`;

  function refuse(exchange: FilterExchange, failure: JwtFailure): void {
    stats.denied.add();
    const isForbidden = failure === jwtFailures.audienceNotAllowed;
    const details = `jwt_authn_access_denied{${failure.message.replaceAll(" ", "_")}}`;
    if (plan.stripsFailure) {
      exchange.replyWith(isForbidden ? 403 : 401, nothing, details, 0, undefined);
      return;
    }
    const reason = failure === jwtFailures.missing ? "" : ', error="invalid_token"';
    const fields = ["www-authenticate", `Bearer realm="${realmOf(exchange.request!)}"${reason}`];
    exchange.replyWith(isForbidden ? 403 : 401, Buffer.from(failure.message), details, 0, fields);
  }

  /** What the request must bring; "continue" where nothing is asked, "stop" where it has been answered. */
  function requirementOf(exchange: FilterExchange): Verify | "continue" | "stop" {
    const config = routeConfigOf<JwtRouteConfig>(exchange, name);
    if (config === "disabled") return "continue";
    if (config) {
      const verify = plan.requirements.get(config.requirement);
      if (verify) return verify;
      const problem = unknownRequirement(config.requirement);
      stats.denied.add();
      const body = plan.stripsFailure ? "" : `Failed JWT authentication: ${problem}`;
      exchange.reply(403, body, `jwt_authn_access_denied{${problem.replaceAll(" ", "_")}}`);
      return "stop";
    }
    return plan.rules.find(({ matches }) => matches(exchange.request!, exchange))?.verify ?? "continue";
  }

  return {
    name,
    onRequest(exchange) {
      const request = exchange.request!;
      if (plan.bypassesPreflight && isPreflight(request)) {
        stats.preflightBypassed.add();
        stats.allowed.add();
        return "continue";
      }
      const verify = requirementOf(exchange);
      if (verify === "stop") return "stop";
      if (verify === "continue") {
        stats.allowed.add();
        return "continue";
      }
      const context: VerificationContext = {
        exchange,
        metadata: new Map(),
        mustRefreshRoute: false,
        refusedBy: "",
        isCancelled: false,
      };
      exchange.filterState ??= new Map();
      exchange.filterState.set(name, context);
      verify(context, (failure) => {
        if (context.isCancelled) return;
        if (context.metadata.size > 0) noteMetadata(exchange, jwtMetadataName, context.metadata);
        if (failure) {
          exchange.filterState?.set(refusingProviderState, context.refusedBy);
          refuse(exchange, failure);
          return;
        }
        stats.allowed.add();
        if (context.mustRefreshRoute) exchange.refreshRoute();
        exchange.resume();
      });
      return "stop";
    },
    onComplete(exchange) {
      const context = exchange.filterState?.get(name) as VerificationContext | undefined;
      if (context) context.isCancelled = true;
    },
  };
}

const nothing = Buffer.alloc(0);
const maxRealmPath = 256;

/** The address the client asked for, as a quoted string may hold it. */
function realmOf({ scheme, authority, path, headers }: RequestHead): string {
  const asked = (headers.get("x-envoy-original-path") ?? path).slice(0, maxRealmPath);
  return `${scheme}://${authority}${asked}`.replaceAll(/["\\]/g, "");
}

/** @see https://fetch.spec.whatwg.org/#cors-preflight-fetch */
function isPreflight({ method, headers }: RequestHead): boolean {
  return (
    method === "OPTIONS" &&
    (headers.get("origin") ?? "") !== "" &&
    (headers.get("access-control-request-method") ?? "") !== ""
  );
}
