import type { Counter } from "@weft/base/metric-registry";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";

/** Envoy's `<prefix>rbac.*` counters. */
export interface RbacStats {
  readonly allowed: Counter;
  readonly denied: Counter;
  readonly shadowAllowed: Counter;
  readonly shadowDenied: Counter;
  /** Of one policy, where those are counted (`track_per_rule_stats`); made on first use. */
  policy(name: string, isAllowed: boolean, isShadow: boolean): Counter;
}

/** `http.<stat_prefix>.rbac.[<rules prefix>.]allowed` … for the HTTP filter. */
export function httpRbacStats(
  stats: EnvoyStats,
  statPrefix: string,
  rulesPrefix = "",
  shadowPrefix = "",
): RbacStats {
  const base = "http.{envoy_http_conn_manager_prefix}.rbac.";
  return rbacStats((name) => stats.counter(`${base}${name}`, statPrefix), rulesPrefix, shadowPrefix);
}

/** `<stat_prefix>rbac.allowed` … for the network filter, whose own `stat_prefix` starts the name. */
export function networkRbacStats(
  stats: EnvoyStats,
  statPrefix: string,
  rulesPrefix = "",
  shadowPrefix = "",
): RbacStats {
  const base = `${withDot(statPrefix)}rbac.`;
  return rbacStats((name) => stats.counter(`${base}${name}`), rulesPrefix, shadowPrefix);
}

function rbacStats(counter: (name: string) => Counter, rulesPrefix: string, shadowPrefix: string): RbacStats {
  const rules = withDot(rulesPrefix);
  const shadow = withDot(shadowPrefix);
  const policies = new Map<string, Counter>();
  return {
    allowed: counter(`${rules}allowed`),
    denied: counter(`${rules}denied`),
    shadowAllowed: counter(`${shadow}shadow_allowed`),
    shadowDenied: counter(`${shadow}shadow_denied`),
    policy(name, isAllowed, isShadow) {
      const result = isAllowed ? "allowed" : "denied";
      const said = isShadow ? `shadow_${result}` : result;
      const key = `${isShadow ? shadow : rules}policy.${name.replaceAll(/[{}]/g, "_")}.${said}`;
      let one = policies.get(key);
      if (!one) {
        one = counter(key);
        policies.set(key, one);
      }
      return one;
    },
  };
}

function withDot(prefix: string): string {
  return prefix === "" || prefix.endsWith(".") ? prefix : `${prefix}.`;
}
