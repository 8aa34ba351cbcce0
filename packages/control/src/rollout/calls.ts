import type { VersionCalls } from "../api/rollout-protocol.ts";
import { addBuckets } from "../telemetry/metric-history.ts";
import { quantile } from "../telemetry/quantile.ts";
import type { BucketCounts } from "../telemetry/sample.ts";

/** What one version did over a time, added up. */
export interface Calls {
  readonly requests: number;
  readonly failures: number;
  readonly durations: BucketCounts | undefined;
}

export const noCalls: Calls = { requests: 0, failures: 0, durations: undefined };

export function addCalls(a: Calls, b: Calls): Calls {
  return {
    requests: a.requests + b.requests,
    failures: a.failures + b.failures,
    durations:
      a.durations && b.durations ? addBuckets(a.durations, b.durations) : (a.durations ?? b.durations),
  };
}

export function shownCalls({ requests, failures, durations }: Calls): VersionCalls {
  const p99Ms = durations && quantile(durations, 0.99);
  return { requests, failures, ...(p99Ms === undefined ? {} : { p99Ms }) };
}

/** Calls that certainly took longer, and all whose time is known. */
export function slowerThan(
  durations: BucketCounts,
  ms: number,
): { readonly slow: number; readonly all: number } {
  const all = durations.counts.reduce((sum, count) => sum + count, 0);
  const slow = durations.counts.reduce((sum, count, i) => {
    const low = i === 0 ? 0 : durations.bounds[i - 1]!;
    return low >= ms ? sum + count : sum;
  }, 0);
  return { slow, all };
}
