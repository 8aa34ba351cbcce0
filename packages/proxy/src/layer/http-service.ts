import type { Clock } from "@weft/base/clock";
import { isRouterFilter, type RouterPlan } from "../filters/router-plan.ts";
import type { AnswerClasses, HttpStats } from "../listener/downstream-stats.ts";
import type { HttpConnectionPlan, ListenerPlan } from "../listener/listener-plan.ts";
import type { Timers } from "../net/timers.ts";
import type { Observation } from "../observe/observation.ts";
import type { OverloadState } from "../overload/overload-state.ts";
import type { DrainState } from "./drain-state.ts";
import type { Exchange } from "./exchange.ts";
import { FilterChain } from "./filter-chain.ts";
import type { Forwarder } from "./forwarder.ts";

/** What every connection manager of a process shares. */
export interface LayerContext {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly forwarder: Forwarder;
  readonly overload: OverloadState;
  /** Of the listener. */
  readonly drain: DrainState;
  /** Something threw that must not: reported once, the request goes on without it. */
  readonly onFault: (error: unknown) => void;
  /** Who looks at requests. */
  readonly observation: Observation;
}

/** The listener that a connection manager is a part of. */
export type HttpServiceListener = Pick<
  ListenerPlan,
  "name" | "trafficDirection" | "bufferLimitBytes" | "policyOrigins"
>;

/** A connection manager ready to serve. */
export class HttpService {
  readonly plan: HttpConnectionPlan;
  readonly context: LayerContext;
  readonly stats: HttpStats;
  /** The same as in `stats`, of this listener alone. */
  readonly answers: AnswerClasses;
  /** The listener's name. */
  readonly listener: string;
  readonly policyOrigins: ReadonlyMap<string, string>;
  readonly direction: Exchange["direction"];
  readonly bufferLimitBytes: number;
  readonly filters: FilterChain;
  readonly router: RouterPlan | undefined;

  constructor(
    plan: HttpConnectionPlan,
    context: LayerContext,
    stats: HttpStats,
    answers: AnswerClasses,
    listener: HttpServiceListener,
  ) {
    this.plan = plan;
    this.context = context;
    this.stats = stats;
    this.answers = answers;
    this.listener = listener.name;
    this.policyOrigins = listener.policyOrigins ?? new Map();
    this.direction = listener.trafficDirection;
    this.bufferLimitBytes = listener.bufferLimitBytes;
    this.filters = new FilterChain(plan.filters);
    this.router = plan.filters.find(isRouterFilter)?.router;
  }
}
