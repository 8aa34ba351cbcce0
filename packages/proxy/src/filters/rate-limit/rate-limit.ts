import type { Counter } from "@weft/base/metric-registry";
import type { MetadataValue } from "../../layer/dynamic-metadata.ts";
import { noteMetadata } from "../../layer/dynamic-metadata.ts";
import type { Exchange } from "../../layer/exchange.ts";
import { routeConfigOf } from "../../layer/filter-chain.ts";
import type { FilterExchange } from "../../layer/filter-exchange.ts";
import { HeaderList } from "../../layer/header-list.ts";
import type { HttpFilter } from "../../layer/http-filter.ts";
import { ResponseFlag } from "../../layer/response-flag.ts";
import { applyHeaderEdits, type HeaderEdits } from "../../route/header-edits.ts";
import type { EnvoyStats } from "../../telemetry/envoy-stats.ts";
import type { Callout } from "../callout.ts";
import {
  type Descriptor,
  descriptorsOf,
  type RateLimitPolicy,
  routeDescriptors,
  type VirtualHostLimits,
} from "./descriptors.ts";
import { describeLimits, type LimitStatus } from "./limit-headers.ts";

/** What the service answered. @see envoy.service.ratelimit.v3.RateLimitResponse */
export interface RateLimitAnswer {
  readonly isOverLimit: boolean;
  /** Flat. */
  readonly responseFields: readonly string[];
  readonly requestFields: readonly string[];
  readonly body: Buffer;
  readonly statuses: readonly LimitStatus[];
  readonly metadata: ReadonlyMap<string, MetadataValue> | undefined;
}

/** Asks the service; undefined where it did not answer. Called back exactly once unless cancelled, possibly at once. */
export type AskRateLimit = (
  domain: string,
  descriptors: readonly Descriptor[],
  onAnswer: (answer: RateLimitAnswer | undefined) => void,
) => Callout;

/** @see envoy.extensions.filters.http.ratelimit.v3.RateLimit */
export interface RateLimitPlan {
  readonly ask: AskRateLimit;
  readonly domain: string;
  readonly stage: number;
  readonly requestType: "internal" | "external" | "both";
  /** Shares, 0 to 1: of requests that are asked about, of those over their limit that are refused, and of failures that are. */
  readonly enabled: number;
  readonly enforced: number;
  readonly deniedOnFailure: number;
  readonly isResourceExhausted: boolean;
  /** `x-ratelimit-*` of the draft, third version. */
  readonly tellsLimits: boolean;
  /** `x-envoy-ratelimited` where a request is over its limit. */
  readonly tellsRefusal: boolean;
  readonly status: number;
  readonly statusOnError: number;
  readonly responseEdits: HeaderEdits | undefined;
  /** The filter's own limits, in place of the route's; empty takes the route's. */
  readonly policies: readonly RateLimitPolicy[];
}

/** @see RateLimitPerRoute */
export interface RateLimitRouteConfig {
  readonly virtualHostLimits: VirtualHostLimits;
  readonly policies: readonly RateLimitPolicy[];
  /** "" is the filter's. */
  readonly domain: string;
}

/** Envoy's `cluster.<name>.ratelimit.*` counters, of the cluster a request was for. */
interface RateLimitStats {
  readonly ok: Counter;
  readonly error: Counter;
  readonly overLimit: Counter;
  readonly failureModeAllowed: Counter;
}

interface State {
  call: Callout | undefined;
  isOver: boolean;
  responseFields: readonly string[];
}

const grpcResourceExhausted = 8;
const nothing = Buffer.alloc(0);

/**
 * Asks a service that counts for everyone whether a request is within its
 * limits. While it does not answer, requests pass unless configured otherwise.
 */
export function createRateLimitFilter(
  plan: RateLimitPlan,
  stats: EnvoyStats,
  ownPrefix: string,
  random: () => number,
  name: string,
): HttpFilter {
  const byCluster = new Map<string, RateLimitStats>();
  const own = ownPrefix === "" ? "" : `${ownPrefix}.`;

  function statsOf({ cluster }: Exchange): RateLimitStats | undefined {
    if (!cluster) return undefined;
    const { statName } = cluster.plan;
    let counters = byCluster.get(statName);
    if (!counters) {
      const counter = (what: string) =>
        stats.counter(`cluster.{envoy_cluster_name}.ratelimit.${own}${what}`, statName);
      counters = {
        ok: counter("ok"),
        error: counter("error"),
        overLimit: counter("over_limit"),
        failureModeAllowed: counter("failure_mode_allowed"),
      };
      byCluster.set(statName, counters);
    }
    return counters;
  }

  function descriptorsFor(exchange: Exchange, config: RateLimitRouteConfig | undefined): Descriptor[] {
    if (config && config.policies.length > 0) return descriptorsOf(config.policies, plan.stage, exchange);
    if (plan.policies.length > 0) return descriptorsOf(plan.policies, plan.stage, exchange);
    return routeDescriptors(plan.stage, config?.virtualHostLimits ?? "override", exchange);
  }

  function fail(exchange: FilterExchange): void {
    statsOf(exchange)?.error.add();
    if (!isChosen(plan.deniedOnFailure, random)) {
      statsOf(exchange)?.failureModeAllowed.add();
      exchange.resume();
      return;
    }
    exchange.reply(plan.statusOnError, "", "rate_limiter_error", ResponseFlag.RateLimitServiceError);
  }

  function decide(exchange: FilterExchange, state: State, answer: RateLimitAnswer): void {
    const { responseFields, requestFields, statuses, metadata } = answer;
    if (metadata) noteMetadata(exchange, "envoy.filters.http.ratelimit", new Map(metadata));
    const limits = plan.tellsLimits ? describeLimits(statuses) : [];
    const told = answer.isOverLimit && plan.tellsRefusal ? ["x-envoy-ratelimited", "true"] : [];
    state.responseFields = [...limits, ...responseFields, ...told];
    if (answer.isOverLimit) {
      statsOf(exchange)?.overLimit.add();
      if (isChosen(plan.enforced, random)) {
        refuse(exchange, answer);
        return;
      }
    } else statsOf(exchange)?.ok.add();
    const { headers } = exchange.request!;
    for (let i = 0; i < requestFields.length; i += 2)
      headers.append(requestFields[i]!, requestFields[i + 1]!);
    exchange.resume();
  }

  function refuse(exchange: FilterExchange, { body }: RateLimitAnswer): void {
    const fields = new HeaderList();
    if (plan.responseEdits) applyHeaderEdits(plan.responseEdits, fields, exchange);
    exchange.replyWith(
      plan.status,
      body.length > 0 ? body : nothing,
      "request_rate_limited",
      ResponseFlag.RateLimited,
      fields.flat,
      plan.isResourceExhausted ? grpcResourceExhausted : undefined,
    );
  }

  return {
    name,
    onRequest(exchange) {
      if (!isChosen(plan.enabled, random) || !isOfType(exchange, plan.requestType)) return "continue";
      const config = routeConfigOf<RateLimitRouteConfig>(exchange, name);
      const descriptors = descriptorsFor(exchange, config);
      if (descriptors.length === 0) return "continue";
      const state: State = { call: undefined, isOver: false, responseFields: [] };
      exchange.filterState ??= new Map();
      exchange.filterState.set(name, state);
      state.call = plan.ask(config?.domain || plan.domain, descriptors, (answer) => {
        if (state.isOver) return;
        state.call = undefined;
        if (answer) decide(exchange, state, answer);
        else fail(exchange);
      });
      return "stop";
    },
    onResponse(exchange) {
      const state = exchange.filterState?.get(name) as State | undefined;
      const fields = state?.responseFields ?? [];
      const { headers } = exchange.response!;
      for (let i = 0; i < fields.length; i += 2) headers.append(fields[i]!, fields[i + 1]!);
      return "continue";
    },
    onComplete(exchange) {
      const state = exchange.filterState?.get(name) as State | undefined;
      if (!state) return;
      state.isOver = true;
      state.call?.cancel();
    },
  };
}

function isOfType({ request }: Exchange, type: RateLimitPlan["requestType"]): boolean {
  if (type === "both") return true;
  const isInternal = request?.headers.get("x-envoy-internal") === "true";
  return isInternal === (type === "internal");
}

function isChosen(share: number, random: () => number): boolean {
  return share >= 1 || (share > 0 && random() < share);
}
