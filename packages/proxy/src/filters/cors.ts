import type { Counter } from "@weft/base/metric-registry";
import type { Exchange } from "../layer/exchange.ts";
import { routeLevelsOf } from "../layer/filter-chain.ts";
import type { HttpFilter } from "../layer/http-filter.ts";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";

/**
 * What one level of configuration says about requests from other origins;
 * what it leaves unset, a more general level decides.
 *
 * @see envoy.extensions.filters.http.cors.v3.CorsPolicy
 */
export interface CorsPolicy {
  /** Empty leaves it to the next level. */
  readonly origins: readonly ((origin: string) => boolean)[];
  readonly allowMethods: string;
  readonly allowHeaders: string;
  readonly exposeHeaders: string;
  readonly maxAge: string;
  readonly allowCredentials: boolean | undefined;
  readonly allowPrivateNetwork: boolean | undefined;
  readonly forwardsUnmatchedPreflights: boolean | undefined;
  /** Share of requests the policy is enforced for, 0 to 1. Only the most specific level's counts. */
  readonly enabled: number;
  /** Share of requests it is only counted for. */
  readonly shadowed: number;
}

/** Envoy's `http.<stat_prefix>.cors.*` counters. */
export interface CorsStats {
  readonly originValid: Counter;
  readonly originInvalid: Counter;
}

export function corsStats(stats: EnvoyStats, statPrefix: string): CorsStats {
  const base = "http.{envoy_http_conn_manager_prefix}.cors.";
  return {
    originValid: stats.counter(`${base}origin_valid`, statPrefix),
    originInvalid: stats.counter(`${base}origin_invalid`, statPrefix),
  };
}

/**
 * Answers preflight requests and marks responses for the origins a route allows.
 *
 * Stands before authentication: a preflight carries no credentials. What the
 * browser is told is decided by the policy of the route the request took,
 * and the policy of a redirect or direct response is none.
 */
export function createCorsFilter(stats: CorsStats, random: () => number, name: string): HttpFilter {
  /** Levels are folded into one policy on a route's first request. */
  const folded = new WeakMap<readonly CorsPolicy[], CorsPolicy>();

  function policyOf(exchange: Exchange): CorsPolicy | undefined {
    const { match } = exchange;
    if (match?.route.action.kind !== "forward") return undefined;
    const levels = routeLevelsOf<CorsPolicy>(exchange, name) ?? match.route.cors;
    if (!levels) return undefined;
    let policy = folded.get(levels);
    if (!policy) {
      policy = levels.reduce(overlay);
      folded.set(levels, policy);
    }
    return policy;
  }

  return {
    name,
    onRequest(exchange) {
      const policy = policyOf(exchange);
      if (!policy) return "continue";
      const isEnabled = isChosen(policy.enabled, random);
      if (!isEnabled && !isChosen(policy.shadowed, random)) return "continue";
      const { method, headers } = exchange.request!;
      const origin = headers.get("origin");
      if (origin === undefined || origin === "") return "continue";
      const isAllowed = policy.origins.some((matches) => matches("*") || matches(origin));
      (isAllowed ? stats.originValid : stats.originInvalid).add();
      if (!isEnabled) return "continue";
      if (isAllowed) {
        exchange.filterState ??= new Map();
        exchange.filterState.set(name, { policy, origin } satisfies AllowedOrigin);
      }
      if (method !== "OPTIONS") return "continue";
      const requestedMethod = headers.get("access-control-request-method");
      if (requestedMethod === undefined || requestedMethod === "") return "continue";
      if (!isAllowed && (policy.forwardsUnmatchedPreflights ?? true)) return "continue";
      const fields = preflightFields(policy, isAllowed ? origin : undefined, requestedMethod, exchange);
      exchange.replyWith(200, nothing, "cors_response", 0, fields);
      return "stop";
    },
    onResponse(exchange) {
      const allowed = exchange.filterState?.get(name) as AllowedOrigin | undefined;
      if (!allowed) return "continue";
      const { headers } = exchange.response!;
      headers.set("access-control-allow-origin", allowed.origin);
      if (allowed.policy.allowCredentials) headers.set("access-control-allow-credentials", "true");
      const { exposeHeaders } = allowed.policy;
      if (exposeHeaders !== "") headers.set("access-control-expose-headers", exposeHeaders);
      return "continue";
    },
  };
}

interface AllowedOrigin {
  readonly policy: CorsPolicy;
  readonly origin: string;
}

const nothing = Buffer.alloc(0);

/** @see https://fetch.spec.whatwg.org/#cors-preflight-fetch */
function preflightFields(
  policy: CorsPolicy,
  origin: string | undefined,
  requestedMethod: string,
  { request }: Exchange,
): string[] {
  const { headers } = request!;
  const fields: string[] = [];
  if (origin !== undefined) fields.push("access-control-allow-origin", origin);
  if (policy.allowCredentials) fields.push("access-control-allow-credentials", "true");
  if (policy.allowMethods !== "") {
    fields.push(
      "access-control-allow-methods",
      policy.allowMethods === "*" ? requestedMethod : policy.allowMethods,
    );
  }
  if (policy.allowHeaders !== "") {
    const requested = headers.get("access-control-request-headers") ?? "";
    fields.push(
      "access-control-allow-headers",
      policy.allowHeaders === "*" ? requested : policy.allowHeaders,
    );
  }
  if (policy.maxAge !== "") fields.push("access-control-max-age", policy.maxAge);
  if (policy.allowPrivateNetwork && headers.get("access-control-request-private-network") === "true") {
    fields.push("access-control-allow-private-network", "true");
  }
  return fields;
}

function overlay(general: CorsPolicy, specific: CorsPolicy): CorsPolicy {
  return {
    origins: specific.origins.length > 0 ? specific.origins : general.origins,
    allowMethods: specific.allowMethods || general.allowMethods,
    allowHeaders: specific.allowHeaders || general.allowHeaders,
    exposeHeaders: specific.exposeHeaders || general.exposeHeaders,
    maxAge: specific.maxAge || general.maxAge,
    allowCredentials: specific.allowCredentials ?? general.allowCredentials,
    allowPrivateNetwork: specific.allowPrivateNetwork ?? general.allowPrivateNetwork,
    forwardsUnmatchedPreflights: specific.forwardsUnmatchedPreflights ?? general.forwardsUnmatchedPreflights,
    enabled: specific.enabled,
    shadowed: specific.shadowed,
  };
}

function isChosen(share: number, random: () => number): boolean {
  return share >= 1 || (share > 0 && random() < share);
}
