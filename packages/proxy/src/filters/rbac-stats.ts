import type { Counter } from "@weft/base/metric-registry";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";

/** Envoy's `<prefix>rbac.*` counters. */
export interface RbacStats {
  readonly allowed: Counter;
  readonly denied: Counter;
  readonly shadowAllowed: Counter;
  readonly shadowDenied: Counter;
}

/** `http.<stat_prefix>.rbac.[<rules prefix>]allowed` … for the HTTP filter. */
export function httpRbacStats(
  stats: EnvoyStats,
  statPrefix: string,
  rulesPrefix = "",
  shadowPrefix = "",
): RbacStats {
  const base = "http.{envoy_http_conn_manager_prefix}.rbac.";
  return {
    allowed: stats.counter(`${base}${rulesPrefix}allowed`, statPrefix),
    denied: stats.counter(`${base}${rulesPrefix}denied`, statPrefix),
    shadowAllowed: stats.counter(`${base}${shadowPrefix}shadow_allowed`, statPrefix),
    shadowDenied: stats.counter(`${base}${shadowPrefix}shadow_denied`, statPrefix),
  };
}

/** `<stat_prefix>rbac.allowed` … for the network filter, whose own `stat_prefix` starts the name. */
export function networkRbacStats(
  stats: EnvoyStats,
  statPrefix: string,
  rulesPrefix = "",
  shadowPrefix = "",
): RbacStats {
  const base = `${statPrefix === "" || statPrefix.endsWith(".") ? statPrefix : `${statPrefix}.`}rbac.`;
  return {
    allowed: stats.counter(`${base}${rulesPrefix}allowed`),
    denied: stats.counter(`${base}${rulesPrefix}denied`),
    shadowAllowed: stats.counter(`${base}${shadowPrefix}shadow_allowed`),
    shadowDenied: stats.counter(`${base}${shadowPrefix}shadow_denied`),
  };
}
