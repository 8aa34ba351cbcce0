import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ExportMetricsServiceRequestSchema } from "@weft/xds/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb";
import {
  AggregationTemporality,
  type MetricSchema,
} from "@weft/xds/gen/opentelemetry/proto/metrics/v1/metrics_pb";
import type { ScrapedFamily, ScrapedSeries } from "./parse-prometheus-text.ts";

export interface OtlpContext {
  /** `service.instance.id`: the workload's instance name. */
  readonly instance: string;
  readonly service: string;
  readonly namespace: string;
  /** When the counters began at 0. */
  readonly startMs: number;
  readonly nowMs: number;
}

type Metric = MessageInitShape<typeof MetricSchema>;

/** Scraped families as one cumulative OTLP export. */
export function buildExport(
  families: readonly ScrapedFamily[],
  context: OtlpContext,
): MessageInitShape<typeof ExportMetricsServiceRequestSchema> {
  return {
    resourceMetrics: [
      {
        resource: {
          attributes: attributes({
            "service.name": context.service,
            "service.namespace": context.namespace,
            "service.instance.id": context.instance,
          }),
        },
        instrumentationLibraryMetrics: [
          {
            instrumentationLibrary: { name: "weft-agent" },
            metrics: families.map((family) => buildMetric(family, context)),
          },
        ],
      },
    ],
  };
}

function buildMetric({ name, kind, series }: ScrapedFamily, context: OtlpContext): Metric {
  const times = { startTimeUnixNano: nanos(context.startMs), timeUnixNano: nanos(context.nowMs) };
  const point = ({ labels, value }: ScrapedSeries) => ({
    ...times,
    attributes: attributes(labels),
    value: { case: "asDouble" as const, value },
  });
  switch (kind) {
    case "gauge":
      return { name, data: { case: "gauge", value: { dataPoints: series.map(point) } } };
    case "counter":
      return {
        name,
        data: {
          case: "sum",
          value: {
            aggregationTemporality: AggregationTemporality.CUMULATIVE,
            isMonotonic: true,
            dataPoints: series.map(point),
          },
        },
      };
    case "histogram":
      return {
        name,
        data: {
          case: "histogram",
          value: {
            aggregationTemporality: AggregationTemporality.CUMULATIVE,
            dataPoints: series.flatMap(({ labels, histogram }) =>
              histogram
                ? {
                    ...times,
                    attributes: attributes(labels),
                    count: BigInt(Math.round(histogram.count)),
                    sum: histogram.sum,
                    bucketCounts: histogram.counts.map((count) => BigInt(Math.round(count))),
                    explicitBounds: [...histogram.bounds],
                  }
                : [],
            ),
          },
        },
      };
  }
}

function attributes(labels: Readonly<Record<string, string>>) {
  return Object.entries(labels).map(([key, value]) => ({
    key,
    value: { value: { case: "stringValue" as const, value } },
  }));
}

function nanos(ms: number): bigint {
  return BigInt(Math.round(ms)) * 1_000_000n;
}
