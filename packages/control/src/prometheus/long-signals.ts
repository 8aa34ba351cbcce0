import type { Registrations } from "../api/mesh-protocol.ts";
import type { EdgeReport, StatsGroup, StatsReport, StatsRow } from "../api/protocol.ts";
import type { Workload } from "../registry/workload.ts";
import { edgeSignals } from "../telemetry/edge-signals.ts";
import { type GoldenSignalsInput, goldenSignals, groupOf } from "../telemetry/golden-signals.ts";
import { keepSample } from "../telemetry/keep-sample.ts";
import type { ExporterWindow, SeriesWindow } from "../telemetry/metric-history.ts";
import { keptLabels, type Labels } from "../telemetry/sample.ts";
import { type CallQuery, callQueries } from "./call-queries.ts";
import { withBuckets } from "./classic-buckets.ts";
import type { PrometheusSeries } from "./parse-vector.ts";
import { WorkloadsSeen } from "./workloads-seen.ts";

/** Who is asked, for how far back, and who is registered now. */
export interface LongSignalsOptions {
  readonly ask: (query: string, atMs: number) => Promise<readonly PrometheusSeries[]>;
  readonly by: StatsGroup;
  readonly windowMs: number;
  readonly nowMs: number;
  readonly registered: Registrations;
}

/**
 * `weft stat` of a Prometheus: the same rows, made of the same metrics by the
 * same sums, for as long as it keeps them. Workloads that have left since have
 * rows without instances. It believes the labels that each proxy gives itself.
 *
 * @returns undefined where it has no call of that time
 * @throws Error of `ask`
 */
export async function longStats(options: LongSignalsOptions): Promise<StatsReport | undefined> {
  const input = await signalsInput(options, "services");
  if (!input) return undefined;
  const counts = instancesOf(options.registered.workloads, options.by);
  const rows = goldenSignals(input, options.by).map((row) => ({
    ...row,
    ...(counts.get(`${row.namespace}/${row.name}/${row.version}`) ?? gone(row)),
  }));
  return { windowSeconds: options.windowMs / 1000, rows, droppedSeries: 0 };
}

/** `weft edges` of a Prometheus. @see longStats */
export async function longEdges(options: LongSignalsOptions): Promise<EdgeReport | undefined> {
  const input = await signalsInput(options, "edges");
  return input && { windowSeconds: options.windowMs / 1000, rows: edgeSignals(input, options.by) };
}

async function signalsInput(
  { ask, windowMs, nowMs, registered }: LongSignalsOptions,
  of: "services" | "edges",
): Promise<GoldenSignalsInput | undefined> {
  const queries = callQueries(`${Math.round(windowMs)}ms`, of);
  const askAll = (asked: readonly CallQuery[]) =>
    Promise.all(asked.map(async (one) => ({ ...one, series: await ask(one.query, nowMs) })));
  const [counts, classic] = await Promise.all([askAll(queries.counts), askAll(queries.durations)]);
  if (counts.every(({ series }) => series.length === 0)) return undefined;
  const isNative = classic.every(({ series }) => series.length === 0);
  const durations = isNative ? await askAll(queries.nativeDurations) : classic;
  const seen = new WorkloadsSeen(registered.workloads);
  const windows = new Map<string, SeriesWindow[]>();
  const hosts: string[] = [];
  const add = (labels: PrometheusSeries["labels"], window: SeriesWindow): void => {
    seen.see(labels);
    const sample = keepSample(window.sample);
    const reporter = seen.reporterOf(labels);
    if (!sample || !reporter) return;
    const own = windows.get(reporter.id);
    if (own) own.push({ ...window, sample });
    else windows.set(reporter.id, [{ ...window, sample }]);
  };
  for (const { metric, gives, series } of counts) {
    for (const { labels, value } of series) {
      if (!Number.isFinite(value)) continue;
      hosts.push(labels.destination_service ?? "");
      const [now, increase] = gives === "now" ? [value, 0] : [0, value];
      add(labels, { sample: { metric, labels: keptOf(labels), value: now }, increase });
    }
  }
  for (const { metric, series } of durations) {
    for (const { labels, value, buckets } of withBuckets(series)) {
      const sample = { metric, labels: keptOf(labels), value: 0, buckets };
      add(labels, { sample, increase: value, bucketIncrease: buckets });
    }
  }
  return {
    windows: [...windows].map(
      ([exporter, series]): ExporterWindow => ({ exporter, elapsedMs: windowMs, series }),
    ),
    // All instances of now, so that each is counted, and those that left.
    workloads: [...new Set([...registered.workloads, ...seen.all])],
    trustDomain: registered.trustDomain,
    domainSuffix: suffixOf(hosts),
    nowMs,
  };
}

function keptOf(labels: PrometheusSeries["labels"]): Labels {
  return Object.fromEntries(
    keptLabels.flatMap((name) => (labels[name] === undefined ? [] : [[name, labels[name]]])),
  );
}

/** `cluster.local` of `reviews.default.svc.cluster.local`. */
function suffixOf(hosts: readonly string[]): string {
  for (const host of hosts) {
    const [, suffix] = /^[^.]+\.[^.]+\.svc\.(.+)$/.exec(host) ?? [];
    if (suffix !== undefined) return suffix;
  }
  return "cluster.local";
}

type Instances = Pick<StatsRow, "meshed" | "instances">;

function instancesOf(workloads: readonly Workload[], by: StatsGroup): ReadonlyMap<string, Instances> {
  const counts = new Map<string, { meshed: number; instances: number }>();
  for (const workload of workloads) {
    const { name, version } = groupOf(workload, by);
    const key = `${workload.namespace}/${name}/${version}`;
    const count = counts.get(key) ?? { meshed: 0, instances: 0 };
    counts.set(key, count);
    count.instances += 1;
    if (workload.hasSidecar) count.meshed += 1;
  }
  return counts;
}

/** What nobody is registered of; whose identity it had is known where a certificate said so. */
function gone({ identity }: StatsRow): Instances & Pick<StatsRow, "identity"> {
  return { meshed: 0, instances: 0, identity: identity.endsWith("/") ? "" : identity };
}
