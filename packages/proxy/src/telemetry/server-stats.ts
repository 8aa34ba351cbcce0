import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Clock } from "@weft/base/clock";
import type { Histogram } from "@weft/base/metric-registry";
import { countOpenDescriptors, descriptorLimit } from "@weft/base/open-descriptors";
import type { EnvoyStats } from "./envoy-stats.ts";

export interface ServerStatsOptions {
  readonly clock: Clock;
  readonly concurrency: number;
}

/** Seldom enough that an idle sidecar stays idle. */
const sampleMs = 100;

/** A sample is the time between two ticks in nanoseconds; what exceeds the interval was waiting. */
function lateness(sampleNs: number): number {
  return Math.max(0, sampleNs / 1e6 - sampleMs);
}

/**
 * Envoy's `server.*`, read when somebody asks, and how late the event loop runs
 * and how many files are open: the saturation of a single-threaded proxy.
 */
export class ServerStats {
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #initialization: Histogram;
  readonly #live;
  readonly #lag = monitorEventLoopDelay({ resolution: sampleMs });

  constructor(stats: EnvoyStats, options: ServerStatsOptions) {
    const { clock } = options;
    const startMs = clock.monotonicMs();
    this.#clock = clock;
    this.#startMs = startMs;
    this.#initialization = stats.histogram("server.initialization_time_ms");
    const gauge = (name: string) => stats.gauge(`server.${name}`);
    this.#live = gauge("live");
    gauge("concurrency").set(options.concurrency);
    const uptime = gauge("uptime");
    const allocated = gauge("memory_allocated");
    const heap = gauge("memory_heap_size");
    const physical = gauge("memory_physical_size");
    const { registry } = stats;
    const lagP50 = registry.gauge("weft_event_loop_lag_p50_ms", "Median delay of the event loop").with();
    const lagP99 = registry
      .gauge("weft_event_loop_lag_p99_ms", "99th percentile delay of the event loop")
      .with();
    const lagMax = registry.gauge("weft_event_loop_lag_max_ms", "Longest delay of the event loop").with();
    const utilization = registry
      .gauge("weft_event_loop_utilization", "Share of time the event loop was busy")
      .with();
    const open = registry.gauge("weft_open_fds", "Open files and sockets of the process").with();
    const limit = descriptorLimit();
    if (Number.isFinite(limit)) registry.gauge("weft_max_fds", "As many may be open").with().set(limit);
    this.#lag.enable();
    let last = performance.eventLoopUtilization();
    registry.onCollect(() => {
      uptime.set(Math.floor((clock.monotonicMs() - startMs) / 1_000));
      const memory = process.memoryUsage();
      allocated.set(memory.heapUsed + memory.external);
      heap.set(memory.heapTotal);
      physical.set(memory.rss);
      lagP50.set(lateness(this.#lag.percentile(50)));
      lagP99.set(lateness(this.#lag.percentile(99)));
      lagMax.set(lateness(this.#lag.max));
      this.#lag.reset();
      open.set(countOpenDescriptors() ?? 0);
      const now = performance.eventLoopUtilization();
      utilization.set(performance.eventLoopUtilization(now, last).utilization);
      last = now;
    });
  }

  /** All configuration is in force, and listeners accept. */
  onInitialized(): void {
    this.#initialization.observe(this.#clock.monotonicMs() - this.#startMs);
    this.setLive(true);
  }

  /** `server.live`: 1 once listeners accept, 0 while starting or draining. */
  setLive(isLive: boolean): void {
    this.#live.set(Number(isLive));
  }

  stop(): void {
    this.#lag.disable();
  }
}
