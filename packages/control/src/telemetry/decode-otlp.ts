import type { ExportMetricsServiceRequest } from "@weft/xds/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb";
import type { KeyValue } from "@weft/xds/gen/opentelemetry/proto/common/v1/common_pb";
import {
  AggregationTemporality,
  type HistogramDataPoint,
  type Metric,
  type NumberDataPoint,
} from "@weft/xds/gen/opentelemetry/proto/metrics/v1/metrics_pb";
import { keepSample } from "./keep-sample.ts";
import {
  isKeptMetric,
  type KeptLabel,
  type KeptMetric,
  keptLabels,
  type Labels,
  type Sample,
} from "./sample.ts";

/** Data points read from one export; what comes after is not looked at. */
const maxPoints = 50_000;
const maxBuckets = 64;
const maxLabelLength = 256;

const labelNames: ReadonlySet<string> = new Set(keptLabels);

/** What one export holds, as far as golden signals need it. */
export interface DecodedExport {
  /** `service.instance.id` of the resource: the workload's instance name; "" when it names none. */
  readonly instance: string;
  readonly samples: readonly Sample[];
}

/**
 * Reads the kept metrics of an OTLP export; others are skipped, as are deltas,
 * since only cumulative values survive a lost export.
 *
 * @see opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest
 */
export function decodeOtlp(request: ExportMetricsServiceRequest): DecodedExport {
  let instance = "";
  const samples: Sample[] = [];
  for (const { resource, instrumentationLibraryMetrics } of request.resourceMetrics) {
    instance ||= textAttribute(resource?.attributes ?? [], "service.instance.id");
    for (const { metrics } of instrumentationLibraryMetrics) {
      for (const metric of metrics) {
        if (isKeptMetric(metric.name)) readMetric(metric, metric.name, samples);
        if (samples.length >= maxPoints) return { instance, samples };
      }
    }
  }
  return { instance, samples };
}

function readMetric({ data }: Metric, name: KeptMetric, samples: Sample[]): void {
  if (data.case === "gauge" || (data.case === "sum" && isCumulative(data.value.aggregationTemporality))) {
    for (const point of data.value.dataPoints.slice(0, maxPoints - samples.length)) {
      const value = numberOf(point);
      const sample =
        value === undefined ? undefined : { metric: name, labels: labelsOf(point.attributes), value };
      const kept = sample && keepSample(sample);
      if (kept) samples.push(kept);
    }
  } else if (data.case === "histogram" && isCumulative(data.value.aggregationTemporality)) {
    for (const point of data.value.dataPoints.slice(0, maxPoints - samples.length)) {
      const sample = readHistogram(point, name);
      const kept = sample && keepSample(sample);
      if (kept) samples.push(kept);
    }
  }
}

function isCumulative(temporality: AggregationTemporality): boolean {
  return temporality === AggregationTemporality.CUMULATIVE;
}

function numberOf({ value }: NumberDataPoint): number | undefined {
  const number = value.case === undefined ? Number.NaN : Number(value.value);
  return Number.isFinite(number) && number >= 0 ? number : undefined;
}

function readHistogram(point: HistogramDataPoint, metric: KeptMetric): Sample | undefined {
  const bounds = point.explicitBounds;
  const counts = point.bucketCounts.map(Number);
  const isOrdered = bounds.every((bound, i) => i === 0 || bound > bounds[i - 1]!);
  if (counts.length !== bounds.length + 1 || counts.length > maxBuckets || !isOrdered) return undefined;
  return {
    metric,
    labels: labelsOf(point.attributes),
    value: Number(point.count),
    buckets: { bounds, counts },
  };
}

function labelsOf(attributes: readonly KeyValue[]): Labels {
  const labels: Partial<Record<KeptLabel, string>> = {};
  for (const { key, value } of attributes) {
    if (!labelNames.has(key)) continue;
    const content = value?.value;
    const isText = content?.case === "stringValue" || content?.case === "intValue";
    if (isText) labels[key as KeptLabel] = String(content.value).slice(0, maxLabelLength);
  }
  return labels;
}

function textAttribute(attributes: readonly KeyValue[], name: string): string {
  const content = attributes.find(({ key }) => key === name)?.value?.value;
  return content?.case === "stringValue" ? content.value.slice(0, maxLabelLength) : "";
}
