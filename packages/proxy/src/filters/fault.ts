import type { Clock, Timer } from "@weft/base/clock";
import type { Counter, Gauge } from "@weft/base/metric-registry";
import type { Exchange } from "../layer/exchange.ts";
import { routeConfigOf } from "../layer/filter-chain.ts";
import type { FilterStatus, HttpFilter } from "../layer/http-filter.ts";
import { ResponseFlag } from "../layer/response-flag.ts";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";
import type { AbortPlan, DelayPlan, FaultPlan, FractionPlan } from "./fault-plan.ts";
import { httpStatusOfGrpc } from "./grpc-status.ts";

export const faultFilterName = "envoy.filters.http.fault";

/** Envoy's `http.<stat_prefix>.fault.*` statistics. */
export interface FaultStats {
  readonly delaysInjected: Counter;
  readonly abortsInjected: Counter;
  readonly faultsOverflow: Counter;
  readonly activeFaults: Gauge;
}

export function faultStats(stats: EnvoyStats, statPrefix: string): FaultStats {
  const base = "http.{envoy_http_conn_manager_prefix}.fault.";
  return {
    delaysInjected: stats.counter(`${base}delays_injected`, statPrefix),
    abortsInjected: stats.counter(`${base}aborts_injected`, statPrefix),
    faultsOverflow: stats.counter(`${base}faults_overflow`, statPrefix),
    activeFaults: stats.gauge(`${base}active_faults`, statPrefix),
  };
}

export interface FaultDependencies {
  readonly clock: Clock;
  readonly stats: FaultStats;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** What the filter remembers of a request it holds or counts. */
interface ActiveFault {
  timer: Timer | undefined;
}

/**
 * Delays and aborts requests as configured, so that people can see how their
 * services take it.
 *
 * Stands before the router, so that an injected failure looks to the caller like
 * one of the service. A route's own plan replaces the filter's. A client that
 * goes away during a delay ends it. Route configuration under the filter's name
 * is a `FaultPlan`.
 */
export function createFaultFilter(
  plan: FaultPlan,
  deps: FaultDependencies,
  name = faultFilterName,
): HttpFilter {
  const { clock, stats, random } = deps;

  function begin(exchange: Exchange): ActiveFault {
    stats.activeFaults.add(1);
    const active: ActiveFault = { timer: undefined };
    exchange.filterState ??= new Map();
    exchange.filterState.set(name, active);
    return active;
  }

  function abort(exchange: Exchange, status: number, grpcStatus: number | undefined): FilterStatus {
    stats.abortsInjected.add();
    exchange.reply(
      status,
      "fault filter abort",
      "fault_filter_abort",
      ResponseFlag.FaultInjected,
      grpcStatus,
    );
    return "stop";
  }

  return {
    name,
    onRequest(exchange) {
      const effective = routeConfigOf<FaultPlan>(exchange, name) ?? plan;
      if (!hasFaultFor(effective, exchange)) return "continue";
      const delayMs = effective.delay ? chooseDelay(effective.delay, exchange, random) : 0;
      const fault = effective.abort && chooseAbort(effective.abort, exchange, random);
      if (delayMs === 0 && !fault) return "continue";
      if (effective.maxActiveFaults !== undefined && stats.activeFaults.value >= effective.maxActiveFaults) {
        stats.faultsOverflow.add();
        return "continue";
      }
      const active = begin(exchange);
      if (delayMs === 0) return fault ? abort(exchange, fault.status, fault.grpcStatus) : "continue";
      stats.delaysInjected.add();
      exchange.flags |= ResponseFlag.DelayInjected;
      active.timer = clock.setTimer(() => {
        active.timer = undefined;
        if (fault) abort(exchange, fault.status, fault.grpcStatus);
        else exchange.resume();
      }, delayMs);
      return "stop";
    },
    onComplete(exchange) {
      const active = exchange.filterState?.get(name) as ActiveFault | undefined;
      if (!active) return;
      exchange.filterState!.delete(name);
      active.timer?.cancel();
      stats.activeFaults.add(-1);
    },
  };
}

/** Whether a plan has faults for this request, whatever its share of them. */
export function hasFaultFor(plan: FaultPlan, exchange: Exchange): boolean {
  const { request } = exchange;
  if (!request || (!plan.delay && !plan.abort)) return false;
  if (plan.downstreamNodes.length > 0) {
    const node = request.headers.get("x-envoy-downstream-service-node");
    if (node === undefined || !plan.downstreamNodes.includes(node)) return false;
  }
  for (const matches of plan.headers) if (!matches(request)) return false;
  return true;
}

/** 0 when no delay is to be injected. */
function chooseDelay(plan: DelayPlan, exchange: Exchange, random: () => number): number {
  if (plan.kind === "fixed") return isChosen(plan.share, undefined, random) ? plan.delayMs : 0;
  const headers = exchange.request!.headers;
  const delayMs = parseWhole(headers.get("x-envoy-fault-delay-request"));
  if (delayMs === undefined) return 0;
  return isChosen(plan.share, headers.get("x-envoy-fault-delay-request-percentage"), random) ? delayMs : 0;
}

interface ChosenAbort {
  readonly status: number;
  readonly grpcStatus: number | undefined;
}

function chooseAbort(plan: AbortPlan, exchange: Exchange, random: () => number): ChosenAbort | undefined {
  if (plan.kind === "http") {
    return isChosen(plan.share, undefined, random)
      ? { status: plan.status, grpcStatus: undefined }
      : undefined;
  }
  if (plan.kind === "grpc") {
    if (!isChosen(plan.share, undefined, random)) return undefined;
    return { status: httpStatusOfGrpc(plan.grpcStatus), grpcStatus: plan.grpcStatus };
  }
  const headers = exchange.request!.headers;
  const status = parseWhole(headers.get("x-envoy-fault-abort-request"));
  const grpcStatus = parseWhole(headers.get("x-envoy-fault-abort-grpc-request"));
  const isHttp = status !== undefined && status >= 200 && status < 600;
  if (!isHttp && grpcStatus === undefined) return undefined;
  if (!isChosen(plan.share, headers.get("x-envoy-fault-abort-request-percentage"), random)) return undefined;
  if (isHttp) return { status, grpcStatus: undefined };
  return { status: httpStatusOfGrpc(grpcStatus!), grpcStatus };
}

/** A request may lower the configured share by header, never raise it. */
function isChosen(share: FractionPlan, header: string | undefined, random: () => number): boolean {
  const asked = parseWhole(header);
  const numerator = asked === undefined ? share.numerator : Math.min(asked, share.numerator);
  if (numerator <= 0) return false;
  return numerator >= share.denominator || random() * share.denominator < numerator;
}

function parseWhole(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
