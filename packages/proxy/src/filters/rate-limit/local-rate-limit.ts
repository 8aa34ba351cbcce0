import type { Clock } from "@weft/base/clock";
import type { Counter } from "@weft/base/metric-registry";
import type { DownstreamConnection } from "../../layer/downstream-connection.ts";
import type { Exchange } from "../../layer/exchange.ts";
import { routeConfigOf } from "../../layer/filter-chain.ts";
import { HeaderList } from "../../layer/header-list.ts";
import type { HttpFilter } from "../../layer/http-filter.ts";
import { ResponseFlag } from "../../layer/response-flag.ts";
import { applyHeaderEdits, type HeaderEdits } from "../../route/header-edits.ts";
import type { EnvoyStats } from "../../telemetry/envoy-stats.ts";
import {
  type Descriptor,
  descriptorsOf,
  type RateLimitPolicy,
  routeDescriptors,
  type VirtualHostLimits,
} from "./descriptors.ts";
import { LocalLimiter, type LocalLimiterPlan } from "./local-limiter.ts";
import type { TokenBucket } from "./token-bucket.ts";

/** @see envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit */
export interface LocalRateLimitPlan {
  readonly limiter: LocalLimiterPlan;
  readonly status: number;
  /** Shares of requests that are counted, and refused, 0 to 1. */
  readonly enabled: number;
  readonly enforced: number;
  readonly requestEditsWhenNotEnforced: HeaderEdits | undefined;
  readonly responseEdits: HeaderEdits | undefined;
  readonly stage: number;
  readonly isPerConnection: boolean;
  /** `x-ratelimit-*` of the draft, third version. */
  readonly tellsLimits: boolean;
  readonly virtualHostLimits: VirtualHostLimits;
  readonly isResourceExhausted: boolean;
  /** The filter's own limits, in place of the route's; empty takes the route's. */
  readonly policies: readonly RateLimitPolicy[];
}

/** Envoy's `<stat_prefix>.http_local_rate_limit.*` counters. */
export interface LocalRateLimitStats {
  readonly enabled: Counter;
  readonly enforced: Counter;
  readonly ok: Counter;
  readonly rateLimited: Counter;
}

export function localRateLimitStats(stats: EnvoyStats, statPrefix: string): LocalRateLimitStats {
  const counter = (name: string) => stats.counter(`${statPrefix}.http_local_rate_limit.${name}`);
  return {
    enabled: counter("enabled"),
    enforced: counter("enforced"),
    ok: counter("ok"),
    rateLimited: counter("rate_limited"),
  };
}

export interface LocalRateLimitDependencies {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** One configuration with its buckets: of the filter, or of a route, whose requests share it. */
export class LocalRateLimit {
  readonly plan: LocalRateLimitPlan;
  readonly stats: LocalRateLimitStats;
  readonly #common: LocalLimiter;
  readonly #byConnection = new WeakMap<DownstreamConnection, LocalLimiter>();

  constructor(plan: LocalRateLimitPlan, stats: LocalRateLimitStats, nowMs: number) {
    this.plan = plan;
    this.stats = stats;
    this.#common = new LocalLimiter(plan.limiter, nowMs);
  }

  limiterOf(connection: DownstreamConnection, nowMs: number): LocalLimiter {
    if (!this.plan.isPerConnection) return this.#common;
    let limiter = this.#byConnection.get(connection);
    if (!limiter) {
      limiter = new LocalLimiter(this.plan.limiter, nowMs);
      this.#byConnection.set(connection, limiter);
    }
    return limiter;
  }
}

const none: readonly Descriptor[] = [];
const grpcResourceExhausted = 8;
const body = Buffer.from("local_rate_limited");

/** Refuses requests beyond what token buckets of this process allow, with 429. */
export function createLocalRateLimitFilter(
  own: LocalRateLimit,
  { clock, random }: LocalRateLimitDependencies,
  name: string,
): HttpFilter {
  return {
    name,
    onRequest(exchange) {
      const limit = routeConfigOf<LocalRateLimit>(exchange, name) ?? own;
      const { plan, stats } = limit;
      if (!isChosen(plan.enabled, random)) return "continue";
      stats.enabled.add();
      const nowMs = clock.monotonicMs();
      const descriptors = plan.limiter.descriptors.length > 0 ? descriptorsFor(plan, exchange) : none;
      const { isAllowed, bucket } = limit.limiterOf(exchange.connection, nowMs).take(descriptors, nowMs);
      if (plan.tellsLimits && bucket) {
        exchange.filterState ??= new Map();
        exchange.filterState.set(name, bucket);
      }
      if (isAllowed) {
        stats.ok.add();
        return "continue";
      }
      stats.rateLimited.add();
      if (!isChosen(plan.enforced, random)) {
        const edits = plan.requestEditsWhenNotEnforced;
        if (edits) applyHeaderEdits(edits, exchange.request!.headers, exchange);
        return "continue";
      }
      stats.enforced.add();
      exchange.replyWith(
        plan.status,
        body,
        "local_rate_limited",
        ResponseFlag.RateLimited,
        fieldsOf(plan.responseEdits, exchange),
        plan.isResourceExhausted ? grpcResourceExhausted : undefined,
      );
      return "stop";
    },
    onResponse(exchange) {
      const bucket = exchange.filterState?.get(name) as TokenBucket | undefined;
      if (!bucket) return "continue";
      const nowMs = clock.monotonicMs();
      const { headers } = exchange.response!;
      headers.append("x-ratelimit-limit", `${bucket.plan.maxTokens}`);
      headers.append("x-ratelimit-remaining", `${bucket.remaining(nowMs)}`);
      headers.append("x-ratelimit-reset", `${bucket.resetS(nowMs)}`);
      return "continue";
    },
  };
}

function descriptorsFor(plan: LocalRateLimitPlan, exchange: Exchange): readonly Descriptor[] {
  if (plan.policies.length > 0) return descriptorsOf(plan.policies, plan.stage, exchange);
  return routeDescriptors(plan.stage, plan.virtualHostLimits, exchange);
}

/** The fields edits make of nothing. */
function fieldsOf(edits: HeaderEdits | undefined, exchange: Exchange): readonly string[] | undefined {
  if (!edits) return undefined;
  const headers = new HeaderList();
  applyHeaderEdits(edits, headers, exchange);
  return headers.flat;
}

function isChosen(share: number, random: () => number): boolean {
  return share >= 1 || (share > 0 && random() < share);
}
