import { readdirSync, readFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { MetricRegistry } from "@weft/base/metric-registry";
import { countOpenDescriptors, descriptorLimit } from "@weft/base/open-descriptors";

const lagSampleMs = 20;

/**
 * What a process takes and how full it is, under the names that Prometheus's
 * own client for Node gives them. Read when somebody scrapes; the lag of the
 * event loop is that since the scrape before.
 */
export class ProcessMetrics {
  readonly #lag = monitorEventLoopDelay({ resolution: lagSampleMs });

  constructor(registry: MetricRegistry) {
    const gauge = (name: string, help: string) => registry.gauge(name, help).with();
    gauge("process_start_time_seconds", "Start time since the Unix epoch.").set(
      Math.round(Date.now() / 1000 - process.uptime()),
    );
    const memory = gauge("process_resident_memory_bytes", "Resident memory.");
    const cpu = registry.counter("process_cpu_seconds_total", "User and system CPU time.").with();
    const heapTotal = gauge("nodejs_heap_size_total_bytes", "Memory reserved for the JavaScript heap.");
    const heapUsed = gauge("nodejs_heap_size_used_bytes", "Memory that JavaScript objects hold.");
    const external = gauge("nodejs_external_memory_bytes", "Memory of buffers outside the heap.");
    const resources = gauge(
      "nodejs_active_resources_total",
      "What is under way: sockets, timers, files, requests to the system.",
    );
    const lagP99 = gauge("nodejs_eventloop_lag_p99_seconds", "99th percentile of the event loop's lag.");
    const utilization = gauge(
      "nodejs_eventloop_utilization",
      "Share of the time that the event loop is busy.",
    );
    const readLinux = linuxGauges(registry);
    let last = performance.eventLoopUtilization();
    this.#lag.enable();
    registry.onCollect(() => {
      const { rss, heapTotal: total, heapUsed: used, external: outside } = process.memoryUsage();
      memory.set(rss);
      heapTotal.set(total);
      heapUsed.set(used);
      external.set(outside);
      const { user, system } = process.cpuUsage();
      cpu.value = (user + system) / 1e6;
      resources.set(process.getActiveResourcesInfo().length);
      // The histogram holds intervals between samples, which are one sample long when nothing lags.
      lagP99.set(Math.max(0, this.#lag.percentile(99) / 1e9 - lagSampleMs / 1_000));
      this.#lag.reset();
      const now = performance.eventLoopUtilization();
      utilization.set(performance.eventLoopUtilization(now, last).utilization);
      last = now;
      readLinux();
    });
  }

  close(): void {
    this.#lag.disable();
  }
}

/** What Prometheus's clients say of a process beside its memory and time; only where Linux tells. */
function linuxGauges(registry: MetricRegistry): () => void {
  if (process.platform !== "linux") return () => {};
  const status = "/proc/self/status";
  const descriptors = "/proc/self/fd";
  const limit = descriptorLimit();
  const virtual = registry.gauge("process_virtual_memory_bytes", "Virtual memory size.").with();
  const stack = registry.gauge("process_stack_bytes", "Stack of the main thread.").with();
  const open = registry.gauge("process_open_fds", "Open file descriptors.").with();
  if (Number.isFinite(limit)) {
    registry.gauge("process_max_fds", "As many file descriptors may be open.").with().set(limit);
  }
  return () => {
    try {
      const said = readFileSync(status, "latin1");
      virtual.set(kibibytes(said, "VmSize"));
      stack.set(kibibytes(said, "VmStk"));
      open.set(countOpenDescriptors() ?? readdirSync(descriptors).length);
    } catch {
      // A hardened /proc tells nothing; what was read before stays.
    }
  };
}

/** In bytes. */
function kibibytes(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, "m").exec(status)?.[1] ?? 0) * 1024;
}
