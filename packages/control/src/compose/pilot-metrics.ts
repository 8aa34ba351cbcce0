import { readdirSync, readFileSync } from "node:fs";
import { type Counter, type Histogram, type MetricFamily, MetricRegistry } from "@weft/base/metric-registry";
import type { SyncState } from "../api/protocol.ts";

/** Istio's bounds, and finer ones below them: a small mesh converges in milliseconds. */
const convergenceBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 3, 5, 10, 20, 30];

/** What gauges are read from when somebody scrapes. */
export interface PilotReadings {
  readonly proxies: number;
  readonly services: number;
  readonly virtualServices: number;
  readonly workloads: number;
  readonly configErrors: number;
  readonly rootExpirySeconds: number;
  readonly issuedCertificates: number;
  /** Sidecars and gateways by how far they are; states that none is in are 0. */
  readonly proxiesByState: Readonly<Record<SyncState, number>>;
  /** Until when each workload's certificate is valid, in seconds, by `NAME.NAMESPACE`. */
  readonly certificateExpiries: Iterable<readonly [workload: string, seconds: number]>;
}

/** The control plane's own metrics, under the names Istio's dashboards and alerts use. */
export class PilotMetrics {
  readonly registry = new MetricRegistry();
  /** Responses sent, by short type name. */
  readonly pushes: MetricFamily<Counter>;
  readonly rejects: Counter;
  readonly triggers: MetricFamily<Counter>;
  readonly convergence: Histogram;
  readonly pushTime: Histogram;
  readonly internalErrors: Counter;
  readonly #keySetsFetched: Counter;
  readonly #keySetsFailed: Counter;

  constructor(version: string, read: () => PilotReadings) {
    const { registry } = this;
    this.pushes = registry.counter("pilot_xds_pushes", "xDS responses sent, by type.", ["type"]);
    this.rejects = registry.counter("pilot_total_xds_rejects", "xDS responses that a proxy refused.").with();
    this.triggers = registry.counter("pilot_push_triggers", "Pushes, by what asked for them.", ["type"]);
    this.internalErrors = registry
      .counter("pilot_total_xds_internal_errors", "Pushes that failed inside the control plane.")
      .with();
    this.#keySetsFetched = registry
      .counter("pilot_jwks_resolver_network_fetch_success_total", "Key sets of token issuers fetched.")
      .with();
    this.#keySetsFailed = registry
      .counter("pilot_jwks_resolver_network_fetch_fail_total", "Key sets that could not be fetched.")
      .with();
    this.convergence = registry
      .histogram(
        "pilot_proxy_convergence_time",
        "Seconds from a change to its acknowledgement by the last proxy it concerns.",
        convergenceBounds,
      )
      .with();
    this.pushTime = registry
      .histogram("pilot_xds_push_time", "Seconds to compute one push for all proxies.", convergenceBounds)
      .with();
    registry
      .gauge("istio_build", "Version of the control plane.", ["component", "tag"])
      .with("pilot", version)
      .set(1);
    const started = registry.gauge("process_start_time_seconds", "Start time since the Unix epoch.").with();
    started.set(Math.round(Date.now() / 1000 - process.uptime()));
    this.#readAtScrape(version, read);
  }

  /** A key set was asked for. */
  keySetFetched(isGood: boolean): void {
    (isGood ? this.#keySetsFetched : this.#keySetsFailed).add();
  }

  #readAtScrape(version: string, read: () => PilotReadings): void {
    const { registry } = this;
    const gauge = (name: string, help: string) => registry.gauge(name, help).with();
    const xds = registry.gauge("pilot_xds", "Connected xDS clients.", ["version"]).with(version);
    const services = gauge("pilot_services", "Services in the mesh.");
    const virtualServices = gauge("pilot_virt_services", "VirtualServices in force.");
    const workloads = gauge("weft_workloads", "Registered workloads.");
    const configErrors = gauge("weft_config_errors", "Errors in the configuration in force.");
    const rootExpiry = gauge(
      "citadel_server_root_cert_expiry_timestamp",
      "When the root certificate expires, in seconds since the Unix epoch.",
    );
    const issued = registry
      .counter("citadel_server_success_cert_issuance_count", "Certificates issued.")
      .with();
    const states = registry.gauge("weft_proxies", "Sidecars and gateways, by how far they are.", ["state"]);
    const expiries = registry.gauge(
      "weft_certificate_expiry_timestamp_seconds",
      "When a workload's certificate expires, in seconds since the Unix epoch.",
      ["workload", "workload_namespace"],
    );
    const readProcess = processGauges(registry);
    const memory = gauge("process_resident_memory_bytes", "Resident memory.");
    const cpu = registry.counter("process_cpu_seconds_total", "User and system CPU time.").with();
    registry.onCollect(() => {
      const now = read();
      xds.set(now.proxies);
      services.set(now.services);
      virtualServices.set(now.virtualServices);
      workloads.set(now.workloads);
      configErrors.set(now.configErrors);
      rootExpiry.set(now.rootExpirySeconds);
      issued.value = now.issuedCertificates;
      for (const [state, count] of Object.entries(now.proxiesByState)) states.with(state).set(count);
      for (const { labels } of [...expiries.series]) expiries.remove(...labels);
      for (const [id, seconds] of now.certificateExpiries)
        expiries.with(...nameAndNamespace(id)).set(seconds);
      readProcess();
      memory.set(process.memoryUsage.rss());
      const { user, system } = process.cpuUsage();
      cpu.value = (user + system) / 1e6;
    });
  }
}

/** `NAME.NAMESPACE` in its parts; a namespace has no dot. */
function nameAndNamespace(workloadId: string): [string, string] {
  const dot = workloadId.lastIndexOf(".");
  return [workloadId.slice(0, dot), workloadId.slice(dot + 1)];
}

/** What Prometheus's own clients say of a process beside its memory and time; only where Linux tells. */
function processGauges(registry: MetricRegistry): () => void {
  const status = "/proc/self/status";
  const descriptors = "/proc/self/fd";
  if (process.platform !== "linux") return () => {};
  const virtual = registry.gauge("process_virtual_memory_bytes", "Virtual memory size.").with();
  const open = registry.gauge("process_open_fds", "Open file descriptors.").with();
  return () => {
    try {
      virtual.set(Number(/^VmSize:\s*(\d+) kB$/m.exec(readFileSync(status, "latin1"))?.[1] ?? 0) * 1024);
      open.set(readdirSync(descriptors).length);
    } catch {
      // A hardened /proc tells nothing; what was read before stays.
    }
  };
}
