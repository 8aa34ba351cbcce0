/**
 * What is watched, and what is given up when it runs short.
 *
 * @see envoy.config.overload.v3.OverloadManager
 */
export interface OverloadPlan {
  readonly refreshMs: number;
  /** The same while a resource is nearly used up; undefined: no sooner. */
  readonly urgentRefreshMs?: number;
  readonly monitors: readonly ResourceMonitor[];
  readonly actions: readonly OverloadAction[];
}

export interface ResourceMonitor {
  /** As triggers and statistics name it. */
  readonly name: string;
  /** Bytes of resident memory that are all there may be; undefined: as much as the system and the heap allow. */
  readonly maxHeapBytes: number | undefined;
}

/** What can be done about pressure, by Envoy's names without `envoy.overload_actions.`. */
export type ActionName =
  | "stop_accepting_requests"
  | "disable_http_keepalive"
  | "stop_accepting_connections"
  | "reject_incoming_connections"
  | "shrink_heap";

export interface OverloadAction {
  readonly name: ActionName;
  readonly triggers: readonly Trigger[];
}

/** How far a pressure, 0 to 1 and above, moves an action: 0 not at all, 1 fully. */
export interface Trigger {
  readonly resource: string;
  scale(pressure: number): number;
}

/** Fully on above a value. @see envoy.config.overload.v3.ThresholdTrigger */
export function thresholdTrigger(resource: string, value: number): Trigger {
  return { resource, scale: (pressure) => (pressure >= value ? 1 : 0) };
}

/** On by and by between two values. @see envoy.config.overload.v3.ScaledTrigger */
export function scaledTrigger(resource: string, from: number, to: number): Trigger {
  return { resource, scale: (pressure) => Math.min(1, Math.max(0, (pressure - from) / (to - from))) };
}

/** The name of the monitor that is there without configuration. */
const memory = "weft.memory";

/**
 * In force where nothing is configured: a proxy that is about to be killed for
 * its memory refuses new requests first, and finishes those it has.
 */
export const defaultOverloadPlan: OverloadPlan = {
  refreshMs: 500,
  urgentRefreshMs: 50,
  monitors: [{ name: memory, maxHeapBytes: undefined }],
  actions: [
    { name: "shrink_heap", triggers: [thresholdTrigger(memory, 0.85)] },
    { name: "disable_http_keepalive", triggers: [thresholdTrigger(memory, 0.92)] },
    { name: "stop_accepting_requests", triggers: [thresholdTrigger(memory, 0.95)] },
  ],
};
