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
 * Adds up what two versions do from the moment it is made: what their own
 * sidecars answered, and calls to them that callers' sidecars gave up. What a
 * workload said first is where it begins, and a counter that went back begins
 * anew, so that neither a restart of the control plane nor one of a workload
 * counts old calls again.
 */
export class CallMeter {
  #seen = new Map<string, ReadonlyMap<string, Sample>>();
  #canary = noCalls;
  #stable = noCalls;

  constructor(newest: Newest) {
    for (const [exporter, samples] of newest) this.#seen.set(exporter, samples);
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
