import type { Counter } from "@weft/base/metric-registry";
import { routeConfigOf } from "../layer/filter-chain.ts";
import type { HttpFilter } from "../layer/http-filter.ts";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";

/** @see envoy.extensions.filters.http.csrf.v3.CsrfPolicy */
export interface CsrfPolicy {
  /** Share of requests it is enforced for, 0 to 1. */
  readonly enabled: number;
  /** Share of requests it is only counted for. */
  readonly shadowed: number;
  /** Hosts beside the request's own that may be where it came from. */
  readonly additionalOrigins: readonly ((host: string) => boolean)[];
}

/** Envoy's `http.<stat_prefix>.csrf.*` counters. */
export interface CsrfStats {
  readonly missingSourceOrigin: Counter;
  readonly requestInvalid: Counter;
  readonly requestValid: Counter;
}

export function csrfStats(stats: EnvoyStats, statPrefix: string): CsrfStats {
  const base = "http.{envoy_http_conn_manager_prefix}.csrf.";
  return {
    missingSourceOrigin: stats.counter(`${base}missing_source_origin`, statPrefix),
    requestInvalid: stats.counter(`${base}request_invalid`, statPrefix),
    requestValid: stats.counter(`${base}request_valid`, statPrefix),
  };
}

const changing: ReadonlySet<string> = new Set(["POST", "PUT", "DELETE", "PATCH"]);

/**
 * Refuses requests that change something and come from pages of other hosts, as
 * their `origin`, or else `referer`, tells; one that has neither comes from
 * nobody knows where.
 */
export function createCsrfFilter(
  own: CsrfPolicy,
  stats: CsrfStats,
  random: () => number,
  name: string,
): HttpFilter {
  return {
    name,
    onRequest(exchange) {
      const { method, headers, authority } = exchange.request!;
      if (!changing.has(method)) return "continue";
      const policy = routeConfigOf<CsrfPolicy>(exchange, name) ?? own;
      const isEnabled = isChosen(policy.enabled, random);
      if (!isEnabled && !isChosen(policy.shadowed, random)) return "continue";
      const origin = headers.get("origin");
      // What a browser writes where it will not tell (a sandboxed page, a redirect) is not told by `referer` either.
      const source = origin === "null" ? "" : hostOf(origin) || hostOf(headers.get("referer"));
      if (source === "") stats.missingSourceOrigin.add();
      else if (source === hostOf(authority) || policy.additionalOrigins.some((matches) => matches(source))) {
        stats.requestValid.add();
        return "continue";
      } else stats.requestInvalid.add();
      if (!isEnabled) return "continue";
      exchange.reply(403, "Invalid origin", "csrf_origin_mismatch");
      return "stop";
    },
  };
}

/** Host and port of an absolute URL, as written; anything else as it is. */
function hostOf(text: string | undefined): string {
  if (text === undefined) return "";
  return /^[a-z]+:\/\/(?:[^/?#@]*@)?([^/?#]+)/i.exec(text)?.[1] ?? text;
}

function isChosen(share: number, random: () => number): boolean {
  return share >= 1 || (share > 0 && random() < share);
}
