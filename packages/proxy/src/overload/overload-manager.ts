import type { Clock, Timer } from "@weft/base/clock";
import type { Gauge } from "@weft/base/metric-registry";
import type { EnvoyStats } from "../telemetry/envoy-stats.ts";
import { type MemoryReadings, memoryPressure, processMemory } from "./memory-pressure.ts";
import type { ActionName, OverloadAction, OverloadPlan } from "./overload-plan.ts";
import type { OverloadState } from "./overload-state.ts";

export interface OverloadManagerOptions {
  readonly clock: Clock;
  readonly plan: OverloadPlan;
  readonly state: OverloadState;
  readonly stats: EnvoyStats;
  readonly memory?: MemoryReadings;
  /** Connections are to wait in the kernel (true), or are taken again. */
  pauseAccepting(isPaused: boolean): void;
  releaseMemory(): void;
  /** An action begins or ends. */
  report(message: string): void;
}

/** From here on a resource may be used up before the next look. */
const urgentPressure = 0.7;

interface Watched {
  readonly action: OverloadAction;
  readonly active: Gauge;
  readonly percent: Gauge;
  scale: number;
}

/**
 * Looks at the pressure on each resource once an interval and moves the actions
 * accordingly, with Envoy's `overload.*` statistics.
 */
export class OverloadManager {
  readonly #options: OverloadManagerOptions;
  readonly #memory: MemoryReadings;
  readonly #pressures = new Map<string, number>();
  readonly #gauges: ReadonlyMap<string, Gauge>;
  readonly #watched: readonly Watched[];
  #timer: Timer;
  #releasedMs = Number.NEGATIVE_INFINITY;

  constructor(options: OverloadManagerOptions) {
    this.#options = options;
    this.#memory = options.memory ?? processMemory();
    const { plan, stats, clock } = options;
    this.#gauges = new Map(
      plan.monitors.map(({ name }) => [name, stats.gauge("overload.{envoy_overload_name}.pressure", name)]),
    );
    this.#watched = plan.actions.map((action) => {
      const name = `envoy.overload_actions.${action.name}`;
      return {
        action,
        active: stats.gauge("overload.{envoy_overload_name}.active", name),
        percent: stats.gauge("overload.{envoy_overload_name}.scale_percent", name),
        scale: 0,
      };
    });
    this.#timer = clock.setTimer(() => this.#look(), plan.refreshMs);
  }

  close(): void {
    this.#timer.cancel();
  }

  #look(): void {
    const { plan, clock } = this.#options;
    for (const { name, maxHeapBytes } of plan.monitors) {
      const pressure = memoryPressure(this.#memory, maxHeapBytes);
      this.#pressures.set(name, pressure);
      this.#gauges.get(name)!.set(Math.round(pressure * 100));
    }
    for (const watched of this.#watched) this.#move(watched);
    const isUrgent = Math.max(0, ...this.#pressures.values()) >= urgentPressure;
    this.#timer = clock.setTimer(() => this.#look(), (isUrgent && plan.urgentRefreshMs) || plan.refreshMs);
  }

  #move(watched: Watched): void {
    const { action, active, percent } = watched;
    const scale = Math.max(
      0,
      ...action.triggers.map(({ resource, scale: of }) => of(this.#pressures.get(resource) ?? 0)),
    );
    if (action.name === "shrink_heap" && scale >= 1) this.#release();
    if (scale === watched.scale) return;
    const wasOff = watched.scale === 0;
    watched.scale = scale;
    active.set(scale >= 1 ? 1 : 0);
    percent.set(Math.round(scale * 100));
    if (wasOff || scale === 0) {
      this.#options.report(`overload action ${action.name} ${wasOff ? "begins" : "is over"}`);
    }
    this.#apply(action.name, scale);
  }

  /** No more than once in an interval: it takes time itself. */
  #release(): void {
    const { clock, plan, releaseMemory } = this.#options;
    const now = clock.monotonicMs();
    if (now - this.#releasedMs < plan.refreshMs) return;
    this.#releasedMs = now;
    releaseMemory();
  }

  #apply(name: ActionName, scale: number): void {
    const { state, pauseAccepting } = this.#options;
    switch (name) {
      case "stop_accepting_requests":
        state.refusedRequests = scale;
        break;
      case "disable_http_keepalive":
        state.endedConnections = scale;
        break;
      case "reject_incoming_connections":
        state.refusedConnections = scale;
        break;
      case "stop_accepting_connections":
        pauseAccepting(scale >= 1);
        break;
      default:
    }
    state.isStressed = state.refusedRequests + state.endedConnections + state.refusedConnections > 0;
  }
}
