import type { Clock } from "@weft/base/clock";
import type { HttpFilter } from "../layer/http-filter.ts";
import { ResponseFlag } from "../layer/response-flag.ts";
import type { RequestPredicate } from "../route/request-matcher.ts";

/** What a proxy says of itself when it is asked whether it is well. */
export interface ServerHealth {
  /** The operator failed its health checks, or it drains. */
  readonly isFailing: boolean;
  /** `node.cluster`: which service it belongs to. */
  readonly clusterName: string;
  /** The endpoints of a cluster and how many of them may be used; undefined where there is no such cluster. */
  membership(cluster: string): { readonly total: number; readonly usable: number } | undefined;
}

/** @see envoy.extensions.filters.http.health_check.v3.HealthCheck */
export interface HealthCheckFilterPlan {
  /** Whether a request is a health check. */
  readonly matches: RequestPredicate;
  /** The application answers, unless the proxy is failing. Otherwise the proxy does. */
  readonly passesThrough: boolean;
  /** How long the application's last answer is given again; 0 asks it each time. */
  readonly cacheMs: number;
  /** How many percent of these clusters' endpoints must be usable. */
  readonly minHealthyPercents: readonly (readonly [cluster: string, percent: number])[];
}

interface Verdict {
  readonly status: number;
  readonly details: string;
  readonly isDegraded: boolean;
}

const nothing = Buffer.alloc(0);
const degraded = ["x-envoy-degraded", ""] as const;
const failed = (details: string): Verdict => ({ status: 503, details, isDegraded: false });

/**
 * Answers health checks for this proxy and what is behind it. While health
 * checks are failed, every other response asks the caller to look elsewhere.
 */
export function createHealthCheckFilter(
  plan: HealthCheckFilterPlan,
  server: ServerHealth,
  clock: Clock,
  name: string,
): HttpFilter {
  let cached: (Verdict & { readonly untilMs: number }) | undefined;
  return {
    name,
    onRequest(exchange) {
      if (!plan.matches(exchange.request!)) return "continue";
      const isCached = cached !== undefined && clock.monotonicMs() < cached.untilMs;
      const answers = !plan.passesThrough || server.isFailing || isCached;
      exchange.filterState ??= new Map();
      exchange.filterState.set(name, answers ? "answered" : "passed");
      if (!answers) return "continue";
      const verdict = server.isFailing
        ? failed("health_check_failed")
        : isCached
          ? cached!
          : judge(plan.minHealthyPercents, server);
      const flags = verdict.status < 300 ? 0 : ResponseFlag.FailedLocalHealthCheck;
      const fields = verdict.isDegraded ? degraded : undefined;
      exchange.replyWith(verdict.status, nothing, verdict.details, flags, fields);
      return "stop";
    },
    onResponse(exchange) {
      const { status, headers } = exchange.response!;
      const asked = exchange.filterState?.get(name);
      if (asked === undefined) {
        if (server.isFailing) headers.set("x-envoy-immediate-health-check-fail", "true");
        return "continue";
      }
      if (asked === "passed" && plan.cacheMs > 0) {
        cached = {
          status,
          details: "health_check_cached",
          isDegraded: headers.has("x-envoy-degraded"),
          untilMs: clock.monotonicMs() + plan.cacheMs,
        };
      }
      headers.set("x-envoy-upstream-healthchecked-cluster", server.clusterName);
      return "continue";
    },
  };
}

function judge(percents: HealthCheckFilterPlan["minHealthyPercents"], server: ServerHealth): Verdict {
  for (const [cluster, percent] of percents) {
    const found = server.membership(cluster);
    if (!found) return failed("health_check_failed_no_cluster_found");
    if (found.total === 0) {
      if (percent > 0) return failed("health_check_failed_cluster_empty");
    } else if (found.usable < (found.total * percent) / 100) {
      return failed("health_check_failed_cluster_unhealthy");
    }
  }
  const details = percents.length > 0 ? "health_check_ok_cluster_healthy" : "health_check_ok";
  return { status: 200, details, isDegraded: false };
}
