import type { SeriesFilter } from "./exposition.ts";
import { Histogram, type MetricFamily, type MetricRegistry, type Series } from "./metric-registry.ts";
import { type NativeCounts, zeroThreshold } from "./native-buckets.ts";
import { ProtobufWriter, varintBytes } from "./protobuf-writer.ts";

const kinds = { counter: 0, gauge: 1, histogram: 4 } as const;
const nothing = Buffer.alloc(0);

/**
 * A registry as delimited `io.prometheus.client.MetricFamily` messages, the one
 * format that has native histograms. Pieces may be empty: they are there so that
 * whoever writes them may do so in turns.
 *
 * @see https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto
 */
export function* protobufExposition(
  registry: MetricRegistry,
  isShown?: SeriesFilter,
): Generator<Buffer, void> {
  for (const family of registry.collect()) {
    const metrics: Buffer[] = [];
    for (const series of family.series) {
      if (isShown && !isShown(family, series.labels)) continue;
      metrics.push(new ProtobufWriter().bytes(4, metricOf(family, series)).finish());
      yield nothing;
    }
    if (metrics.length === 0) continue;
    const head = new ProtobufWriter().text(1, family.name).text(2, family.help);
    const parts = [head.varint(3, kinds[family.kind]).finish(), ...metrics];
    yield varintBytes(parts.reduce((sum, { length }) => sum + length, 0));
    yield* parts;
  }
}

function metricOf(family: MetricFamily, { labels, more = [], metric }: Series): Buffer {
  const writer = new ProtobufWriter();
  const label = (name: string, value: string) =>
    writer.message(1, new ProtobufWriter().text(1, name).text(2, value));
  family.labelNames.forEach((name, i) => {
    label(name, labels[i]!);
  });
  for (const [name, value] of more) label(name, value);
  if (metric instanceof Histogram) writer.message(7, histogramOf(metric));
  else writer.message(family.kind === "counter" ? 3 : 2, new ProtobufWriter().double(1, metric.value));
  return writer.finish();
}

function histogramOf({ bounds, counts, sum, count, exemplars, native }: Histogram): ProtobufWriter {
  const writer = new ProtobufWriter().varint(1, count).double(2, sum);
  let cumulative = 0;
  bounds.forEach((bound, i) => {
    cumulative += counts[i]!;
    const bucket = new ProtobufWriter().varint(1, cumulative).double(2, bound);
    const exemplar = exemplars?.[i];
    if (exemplar) {
      const { traceId, value, epochMs } = exemplar;
      const trace = new ProtobufWriter().text(1, "trace_id").text(2, traceId);
      const time = new ProtobufWriter().varint(1, Math.floor(epochMs / 1_000));
      time.varint(2, Math.round((epochMs % 1_000) * 1e6));
      bucket.message(3, new ProtobufWriter().message(1, trace).double(2, value).message(3, time));
    }
    writer.message(3, bucket);
  });
  return native ? withNative(writer, native) : writer;
}

function withNative(writer: ProtobufWriter, { schema, zeroCount, counts }: NativeCounts): ProtobufWriter {
  writer.zigzag(5, schema).double(6, zeroThreshold).varint(7, zeroCount);
  const buckets = [...counts].sort(([a], [b]) => a - b);
  const deltas: number[] = [];
  const spans: { offset: number; length: number }[] = [];
  let next = 0;
  let before = 0;
  for (const [bucket, count] of buckets) {
    if (spans.length > 0 && bucket === next) spans.at(-1)!.length += 1;
    else spans.push({ offset: bucket - next, length: 1 });
    next = bucket + 1;
    deltas.push(count - before);
    before = count;
  }
  // A span without buckets tells an empty native histogram from one that is none.
  if (spans.length === 0) spans.push({ offset: 0, length: 0 });
  for (const { offset, length } of spans) {
    writer.message(12, new ProtobufWriter().zigzag(1, offset).varint(2, length));
  }
  return deltas.length > 0 ? writer.packedZigzag(13, deltas) : writer;
}
