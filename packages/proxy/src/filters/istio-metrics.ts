import type { Counter, Histogram, MetricFamily, MetricRegistry } from "@weft/base/metric-registry";
import { histogramBounds } from "../telemetry/envoy-stats.ts";
import { commonLabelNames, httpLabelNames, partyLabelNames } from "./istio-labels.ts";
import type { IstioMetricOverride } from "./istio-stats-plan.ts";

/** The series one kind of HTTP call counts in. Dropped metrics count into objects nobody renders. */
export interface HttpSeries {
  readonly requests: Counter;
  readonly durationMs: Histogram;
  readonly requestBytes: Histogram;
  readonly responseBytes: Histogram;
  /** Of gRPC calls only. */
  readonly messages: MessageSeries | undefined;
}

export interface MessageSeries {
  readonly requestMessages: Counter;
  readonly responseMessages: Counter;
}

export interface TcpSeries {
  readonly opened: Counter;
  readonly closed: Counter;
  readonly sentBytes: Counter;
  readonly receivedBytes: Counter;
}

/** Of one metric; what is more counts in the series whose labels are `overflow`. */
export const defaultMaxSeries = 1_000;

/** Whether series of a metric may be forgotten when nothing has come for long; those of connections are for as long as there may be one. */
export function isExpiringMetric({ name }: { readonly name: string }): boolean {
  return name.startsWith("istio_re");
}

const noDimensions: readonly string[] = [];

/**
 * Istio's standard metrics, by their exact names, with the overrides of one
 * listener applied: a removed tag is an empty label, which Prometheus takes for
 * an absent one; one that is added stands after the usual.
 */
export class IstioMetrics {
  readonly #families;
  readonly #overrides: readonly IstioMetricOverride[];

  constructor(
    registry: MetricRegistry,
    overrides: readonly IstioMetricOverride[],
    maxSeries = defaultMaxSeries,
  ) {
    this.#overrides = overrides;
    const http = [...httpLabelNames];
    const tcp = [...commonLabelNames];
    const parties = [...partyLabelNames];
    // The reporter is kept, so that what has no room is still of one side.
    const limit = { maxSeries, keptLabels: 1 };
    const histogram = (name: string, help: string) =>
      registry.histogram(name, help, histogramBounds, http, limit);
    this.#families = {
      requests: registry.counter("istio_requests_total", "Requests answered", http, limit),
      durationMs: histogram("istio_request_duration_milliseconds", "Time from request to end of response"),
      requestBytes: histogram("istio_request_bytes", "Size of requests"),
      responseBytes: histogram("istio_response_bytes", "Size of responses"),
      requestMessages: registry.counter(
        "istio_request_messages_total",
        "Messages of gRPC clients",
        parties,
        limit,
      ),
      responseMessages: registry.counter(
        "istio_response_messages_total",
        "Messages of gRPC servers",
        parties,
        limit,
      ),
      opened: registry.counter("istio_tcp_connections_opened_total", "TCP connections opened", tcp, limit),
      closed: registry.counter("istio_tcp_connections_closed_total", "TCP connections closed", tcp, limit),
      sentBytes: registry.counter("istio_tcp_sent_bytes_total", "Bytes sent to the TCP client", tcp, limit),
      receivedBytes: registry.counter(
        "istio_tcp_received_bytes_total",
        "Bytes received from the TCP client",
        tcp,
        limit,
      ),
    };
  }

  /** `dimensions` are the values that overrides refer to. */
  http(labels: readonly string[], dimensions = noDimensions, isGrpc = false): HttpSeries {
    const f = this.#families;
    return {
      messages: isGrpc ? this.messages(labels, dimensions) : undefined,
      requests: this.#series(f.requests, labels, dimensions),
      durationMs: this.#series(f.durationMs, labels, dimensions),
      requestBytes: this.#series(f.requestBytes, labels, dimensions),
      responseBytes: this.#series(f.responseBytes, labels, dimensions),
    };
  }

  /** Of `labels`, those of both ends are used: a stream's messages are counted before its status is known. */
  messages(labels: readonly string[], dimensions = noDimensions): MessageSeries {
    const f = this.#families;
    const ofParties = labels.slice(0, partyLabelNames.length);
    return {
      requestMessages: this.#series(f.requestMessages, ofParties, dimensions),
      responseMessages: this.#series(f.responseMessages, ofParties, dimensions),
    };
  }

  tcp(labels: readonly string[], dimensions = noDimensions): TcpSeries {
    const f = this.#families;
    return {
      opened: this.#series(f.opened, labels, dimensions),
      closed: this.#series(f.closed, labels, dimensions),
      sentBytes: this.#series(f.sentBytes, labels, dimensions),
      receivedBytes: this.#series(f.receivedBytes, labels, dimensions),
    };
  }

  #series<M extends Counter | Histogram>(
    family: MetricFamily<M>,
    labels: readonly string[],
    dimensions: readonly string[],
  ): M {
    if (this.#overrides.length === 0) return family.with(...labels);
    const short = family.name.replace(/^istio_/, "");
    const values = [...labels];
    const added = new Map<string, string>();
    let isDropped = false;
    const set = (name: string, value: string): void => {
      const at = family.labelNames.indexOf(name);
      if (at >= 0) values[at] = value;
      else if (value === "") added.delete(name);
      else added.set(name, value);
    };
    for (const { metric, isDropped: drops, tagsToRemove, tags } of this.#overrides) {
      if (metric !== "" && metric !== short) continue;
      isDropped ||= drops;
      for (const name of tagsToRemove) set(name, "");
      for (const { name, dimension } of tags) set(name, dimensions[dimension] ?? "unknown");
    }
    if (isDropped) return family.detached();
    return added.size === 0 ? family.with(...values) : family.withMore(values, [...added].sort(byName));
  }
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1;
}
