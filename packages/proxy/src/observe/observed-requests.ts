import type { ObservedEvent, ObservedRequest, RecallPlan, WatchPlan } from "@weft/xds/observed-request";

/** One who watches. */
export interface Watch {
  /** Requests over its limit so far. */
  readonly limited: number;
  stop(): void;
}

/** The requests of a proxy, for those who ask; whichever of its workers they come to. */
export interface ObservedRequests {
  /** Tells `emit` of requests from here on, until it is stopped. */
  watch(plan: WatchPlan, emit: (event: ObservedEvent) => void): Watch;
  recall(plan: RecallPlan): Promise<readonly ObservedRequest[]>;
}
