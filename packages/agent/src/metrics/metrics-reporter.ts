import type { Clock } from "@weft/base/clock";
import { MetricsService } from "@weft/xds/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb";
import type { GrpcChannel } from "@weft/xds/grpc/grpc-channel";
import type { Svid } from "../enrolment/svid.ts";
import { buildExport, type OtlpContext } from "./otlp.ts";
import { parsePrometheusText, type ScrapedFamily } from "./parse-prometheus-text.ts";

export interface MetricsReporterOptions {
  readonly clock: Clock;
  /** To the control plane. */
  readonly channel: GrpcChannel;
  /** The sidecar's Prometheus text; rejects while there is none. */
  readonly scrape: () => Promise<string>;
  readonly svid: () => Svid;
  /** When the sidecar's counters began at 0. */
  readonly startedMs: () => number;
  readonly resource: Pick<OtlpContext, "instance" | "service" | "namespace">;
  readonly intervalMs?: number;
}

/**
 * Sends the sidecar's `istio_*` series, how full it is and the age of the certificate
 * to the control plane every few seconds, so that `weft stat` needs no Prometheus. All
 * values are cumulative: an export that is lost costs nothing but freshness.
 */
export class MetricsReporter {
  readonly #options: MetricsReporterOptions;
  readonly #stop = new AbortController();

  constructor(options: MetricsReporterOptions) {
    this.#options = options;
  }

  start(): void {
    void this.#run().catch(() => {}); // ends by `close` only
  }

  /** Sends the final values and ends. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#report(1_000);
  }

  async #run(): Promise<void> {
    const { clock, intervalMs = 2_000 } = this.#options;
    for (;;) {
      await clock.sleepMs(intervalMs, this.#stop.signal);
      await this.#report(5_000);
    }
  }

  async #report(timeoutMs: number): Promise<void> {
    const { clock, channel, svid, resource, startedMs } = this.#options;
    try {
      const families = [...(await this.#scrapeFamilies()), ...certificateGauges(svid())];
      const context = { ...resource, startMs: startedMs(), nowMs: clock.now() };
      await channel.unary(MetricsService.method.export, buildExport(families, context), { timeoutMs });
    } catch {
      // The control plane is away; the next export carries the same totals and more.
    }
  }

  async #scrapeFamilies(): Promise<ScrapedFamily[]> {
    try {
      const families = parsePrometheusText(
        await this.#options.scrape(),
        (name) => name.startsWith("istio_") || saturationMetrics.has(name),
      );
      return families.map((family) => (saturationMetrics.has(family.name) ? summed(family) : family));
    } catch {
      return []; // the sidecar is being started again
    }
  }
}

/** How full the data plane is: gauges of it as a whole, whatever they are told apart by. */
const saturationMetrics: ReadonlySet<string> = new Set([
  "weft_event_loop_utilization",
  "weft_event_loop_lag_p99_ms",
  "envoy_server_memory_physical_size",
  "envoy_listener_downstream_cx_active",
  "envoy_cluster_upstream_rq_pending_active",
  "envoy_cluster_circuit_breakers_default_cx_open",
  "envoy_cluster_circuit_breakers_default_rq_pending_open",
  "envoy_cluster_circuit_breakers_default_rq_open",
  "weft_open_fds",
]);

function summed({ name, kind, series }: ScrapedFamily): ScrapedFamily {
  return { name, kind, series: [{ labels: {}, value: series.reduce((sum, { value }) => sum + value, 0) }] };
}

function certificateGauges({ notBeforeMs, notAfterMs }: Svid): ScrapedFamily[] {
  const gauge = (name: string, ms: number): ScrapedFamily => ({
    name,
    kind: "gauge",
    series: [{ labels: {}, value: ms / 1000 }],
  });
  return [
    gauge("weft_certificate_not_before_timestamp_seconds", notBeforeMs),
    gauge("weft_certificate_not_after_timestamp_seconds", notAfterMs),
  ];
}
