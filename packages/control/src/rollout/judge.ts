import type { RolloutCriteria } from "../api/rollout-protocol.ts";
import { quantile } from "../telemetry/quantile.ts";
import { type Calls, slowerThan } from "./calls.ts";

export interface Measurement {
  readonly elapsedMs: number;
  readonly canary: Calls;
  readonly stable: Calls;
  /** How long no instance of the new version has been healthy; 0: there is one. */
  readonly absentMs: number;
}

export type Verdict =
  | { readonly t: "open" }
  | { readonly t: "passed" }
  | { readonly t: "failed"; readonly why: string }
  /** The time is over, and there were too few calls to say anything. */
  | { readonly t: "too few"; readonly why: string };

/** An instance that is started anew is away for a moment. */
const patienceMs = 10_000;
/** Standard deviations: once in some 700 good steps, and then on top of the calls it takes. */
const certainty = 3;

/**
 * What to say of a step. Before its interval is over only what leaves no doubt:
 * there is nobody, or even the luckiest reading of the calls so far is too bad
 * (the bound of a Wilson interval), so that users do not meet the rest of it.
 */
export function judge(
  { elapsedMs, canary, absentMs }: Measurement,
  criteria: RolloutCriteria,
  intervalMs: number,
): Verdict {
  if (absentMs > 0 && absentMs >= Math.min(patienceMs, intervalMs)) {
    return { t: "failed", why: "no instance of it is healthy" };
  }
  const hasEnough = canary.requests >= criteria.minRequests;
  if (elapsedMs < intervalMs) {
    const why = hasEnough ? certainFailure(canary, criteria) : undefined;
    return why === undefined ? { t: "open" } : { t: "failed", why };
  }
  if (!hasEnough) {
    return { t: "too few", why: `${canary.requests} of at least ${criteria.minRequests} calls` };
  }
  const why = failure(canary, criteria);
  return why === undefined ? { t: "passed" } : { t: "failed", why };
}

function failure({ requests, failures, durations }: Calls, criteria: RolloutCriteria): string | undefined {
  const { successPercent, p99Ms } = criteria;
  const success = requests === 0 ? 100 : (1 - failures / requests) * 100;
  if (successPercent !== undefined && success < successPercent) {
    return `${percent(success)} of ${requests} calls succeeded, less than ${successPercent} %`;
  }
  if (p99Ms === undefined) return undefined;
  const measured = durations && quantile(durations, 0.99);
  if (measured !== undefined && measured <= p99Ms) return undefined;
  return measured === undefined
    ? "nobody said how long its calls took"
    : `p99 is ${Math.round(measured)} ms, more than ${p99Ms} ms`;
}

function certainFailure(calls: Calls, { successPercent, p99Ms }: RolloutCriteria): string | undefined {
  const { requests, failures, durations } = calls;
  if (successPercent !== undefined) {
    const best = wilson(requests - failures, requests).high * 100;
    if (best < successPercent) {
      return `${percent((1 - failures / requests) * 100)} of ${requests} calls succeeded, less than ${successPercent} % beyond doubt`;
    }
  }
  if (p99Ms === undefined || !durations) return undefined;
  const { slow, all } = slowerThan(durations, p99Ms);
  if (all === 0 || wilson(slow, all).low <= 0.01) return undefined;
  return `${slow} of ${all} calls took more than ${p99Ms} ms, so p99 does beyond doubt`;
}

/** Between what the true share lies. @see Wilson, "Probable inference", 1927 */
function wilson(count: number, of: number): { readonly low: number; readonly high: number } {
  const z2 = certainty * certainty;
  const share = count / of;
  const middle = share + z2 / (2 * of);
  const spread = certainty * Math.sqrt((share * (1 - share)) / of + z2 / (4 * of * of));
  const scale = 1 + z2 / of;
  return { low: (middle - spread) / scale, high: (middle + spread) / scale };
}

function percent(value: number): string {
  return `${value.toFixed(2)} %`;
}
