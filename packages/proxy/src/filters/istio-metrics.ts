import type { Counter, Histogram, MetricFamily, MetricRegistry } from "@weft/base/metric-registry";
import { histogramBounds } from "../telemetry/envoy-stats.ts";
import { commonLabelNames, httpLabelNames } from "./istio-labels.ts";
import type { IstioMetricOverride } from "./istio-stats-plan.ts";

/** The series one kind of HTTP call counts in. Dropped metrics count into objects nobody renders. */
export interface HttpSeries {
  readonly requests: Counter;
  readonly durationMs: Histogram;
  readonly requestBytes: Histogram;
  readonly responseBytes: Histogram;
}

export interface TcpSeries {
  readonly opened: Counter;
  readonly closed: Counter;
  readonly sentBytes: Counter;
  readonly receivedBytes: Counter;
}

/**
 * Istio's standard metrics, by their exact names, with the overrides of one
 * listener applied: a removed tag is an empty label, which Prometheus takes for
 * an absent one.
 */
export class IstioMetrics {
  readonly #families;
  readonly #overrides: readonly IstioMetricOverride[];

  constructor(registry: MetricRegistry, overrides: readonly IstioMetricOverride[]) {
    this.#overrides = overrides;
    const http = [...httpLabelNames];
    const tcp = [...commonLabelNames];
    const histogram = (name: string, help: string) => registry.histogram(name, help, histogramBounds, http);
    this.#families = {
      requests: registry.counter("istio_requests_total", "Requests answered", http),
      durationMs: histogram("istio_request_duration_milliseconds", "Time from request to end of response"),
      requestBytes: histogram("istio_request_bytes", "Size of requests"),
      responseBytes: histogram("istio_response_bytes", "Size of responses"),
      opened: registry.counter("istio_tcp_connections_opened_total", "TCP connections opened", tcp),
      closed: registry.counter("istio_tcp_connections_closed_total", "TCP connections closed", tcp),
      sentBytes: registry.counter("istio_tcp_sent_bytes_total", "Bytes sent to the TCP client", tcp),
      receivedBytes: registry.counter(
        "istio_tcp_received_bytes_total",
        "Bytes received from the TCP client",
        tcp,
      ),
    };
  }

  http(labels: readonly string[]): HttpSeries {
    const f = this.#families;
    return {
      requests: this.#series(f.requests, labels),
      durationMs: this.#series(f.durationMs, labels),
      requestBytes: this.#series(f.requestBytes, labels),
      responseBytes: this.#series(f.responseBytes, labels),
    };
  }

  tcp(labels: readonly string[]): TcpSeries {
    const f = this.#families;
    return {
      opened: this.#series(f.opened, labels),
      closed: this.#series(f.closed, labels),
      sentBytes: this.#series(f.sentBytes, labels),
      receivedBytes: this.#series(f.receivedBytes, labels),
    };
  }

  #series<M extends Counter | Histogram>(family: MetricFamily<M>, labels: readonly string[]): M {
    const short = family.name.replace(/^istio_/, "");
    const values = [...labels];
    let isDropped = false;
    for (const override of this.#overrides) {
      if (override.metric !== "" && override.metric !== short) continue;
      isDropped ||= override.isDropped;
      for (const tag of override.tagsToRemove) {
        const at = family.labelNames.indexOf(tag);
        if (at >= 0) values[at] = "";
      }
    }
    return isDropped ? family.detached() : family.with(...values);
  }
}
