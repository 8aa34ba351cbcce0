import { Counter } from "@weft/base/metric-registry";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";

/** Envoy's `listener_manager.*` of updates. */
export interface ListenerManagerStats {
  readonly added: Counter;
  readonly modified: Counter;
  readonly removed: Counter;
  /** By `/drain_listeners`. */
  readonly stopped: Counter;
  /** Counted by every worker. */
  readonly createSuccess: Counter;
  readonly createFailure: Counter;
}

/** What all workers do together is counted by the first of them only. */
export function createListenerManagerStats(stats: EnvoyStats, isFirstWorker: boolean): ListenerManagerStats {
  const byWorker = (name: string) => stats.counter(`listener_manager.listener_${name}`);
  const byAll = (name: string) => (isFirstWorker ? byWorker(name) : new Counter());
  return {
    added: byAll("added"),
    modified: byAll("modified"),
    removed: byAll("removed"),
    stopped: byAll("stopped"),
    createSuccess: byWorker("create_success"),
    createFailure: byWorker("create_failure"),
  };
}
