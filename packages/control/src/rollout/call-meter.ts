import { isFailure } from "../telemetry/call-tally.ts";
import { keptMetrics, type Sample } from "../telemetry/sample.ts";
import { endingOf } from "../telemetry/unanswered-call.ts";
import { addCalls, type Calls, noCalls } from "./calls.ts";

/** What of the mesh belongs to one version now. */
export interface VersionMembers {
  /** Ids of its workloads. */
  readonly workloads: ReadonlySet<string>;
  /** Their canonical revisions. */
  readonly revisions: ReadonlySet<string>;
  readonly healthy: number;
}

/** Of all versions: how callers' sidecars name the service. */
export interface MeteredVersions {
  readonly hostnames: ReadonlySet<string>;
  readonly stable: VersionMembers;
  readonly canary: VersionMembers;
}

/** What every workload reported last, series by series. */
export type Newest = Iterable<readonly [exporter: string, samples: ReadonlyMap<string, Sample>]>;

/**
 * Adds up what two versions do after it is made: what their own sidecars
 * answered, and calls to them that callers' sidecars gave up. A workload reports
 * every other second, so the first report after that moment tells of calls from
 * before it as well: what a workload says first is where it begins. A counter
 * that went back begins anew. So neither what came before nor a restart, of the
 * control plane or of a workload, counts.
 */
export class CallMeter {
  #seen = new Map<string, ReadonlyMap<string, Sample>>();
  /** By exporter, what was known at the beginning, until it says something new. */
  readonly #stale = new Map<string, ReadonlyMap<string, Sample>>();
  #canary = noCalls;
  #stable = noCalls;

  constructor(newest: Newest) {
    for (const [exporter, samples] of newest) this.#stale.set(exporter, samples);
  }

  get canary(): Calls {
    return this.#canary;
  }

  get stable(): Calls {
    return this.#stable;
  }

  take(newest: Newest, versions: MeteredVersions): void {
    const seen = new Map<string, ReadonlyMap<string, Sample>>();
    for (const [exporter, samples] of newest) {
      if (this.#stale.get(exporter) === samples) continue;
      this.#stale.delete(exporter);
      seen.set(exporter, samples);
      const before = this.#seen.get(exporter);
      if (!before || before === samples) continue;
      for (const [key, sample] of samples) {
        const old = before.get(key);
        if (old !== sample) this.#add(exporter, sample, old, versions);
      }
    }
    this.#seen = seen;
  }

  #add(exporter: string, sample: Sample, old: Sample | undefined, versions: MeteredVersions): void {
    const { stable, canary, hostnames } = versions;
    const isOf = ({ workloads, revisions }: VersionMembers): boolean => {
      const { labels } = sample;
      if (labels.reporter === "destination") return workloads.has(exporter);
      return (
        labels.reporter === "source" &&
        hostnames.has(labels.destination_service ?? "") &&
        revisions.has(labels.destination_canonical_revision ?? "")
      );
    };
    if (isOf(canary)) this.#canary = addCalls(this.#canary, growth(sample, old));
    else if (isOf(stable)) this.#stable = addCalls(this.#stable, growth(sample, old));
  }
}

function growth({ metric, labels, value, buckets }: Sample, old: Sample | undefined): Calls {
  const base = old && old.value <= value ? old : undefined;
  const count = value - (base?.value ?? 0);
  if (labels.reporter === "source") {
    const ending = metric === keptMetrics.requests ? endingOf(labels) : undefined;
    if (!ending) return noCalls;
    // One that was given up had arrived, and is counted there.
    const requests = ending === "undelivered" ? count : 0;
    return { requests, failures: isFailure(labels) ? count : 0, durations: undefined };
  }
  if (metric === keptMetrics.requests) {
    return { requests: count, failures: isFailure(labels) ? count : 0, durations: undefined };
  }
  if (metric !== keptMetrics.duration || !buckets) return noCalls;
  const counts = buckets.counts.map((one, i) => Math.max(0, one - (base?.buckets?.counts[i] ?? 0)));
  return { requests: 0, failures: 0, durations: { bounds: buckets.bounds, counts } };
}
