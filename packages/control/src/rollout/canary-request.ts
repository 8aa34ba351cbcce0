import type { StartRollout } from "../api/rollout-protocol.ts";
import type { CanaryAnalysisSpec } from "../config/canary-spec.ts";
import type { ResourceOf } from "../config/resource.ts";
import { parseDurationMs } from "../config/values.ts";

type Canary = ResourceOf<"Canary">;

/** As few calls as say anything. */
const minRequests = 10;
/** Flagger's own defaults. */
const defaultIntervalMs = 60_000;
const defaultDeadlineSeconds = 600;

/** The service a Canary is about. */
export function serviceOf({ spec }: Pick<Canary, "spec">): string {
  return spec.service?.name ?? spec.targetRef.name;
}

/** The rollout that a Canary asks for, to a version. */
export function canaryRequest({ spec, namespace }: Canary, service: string, to: string): StartRollout {
  const { analysis, progressDeadlineSeconds = defaultDeadlineSeconds } = spec;
  const { interval, threshold = 0, iterations = 0, mirror, mirrorWeight, match } = analysis;
  const bound = (metric: string, side: "min" | "max"): number | undefined => {
    const found = analysis.metrics?.find(({ name }) => name === metric);
    return found?.thresholdRange?.[side] ?? found?.threshold;
  };
  const successPercent = bound("request-success-rate", "min");
  const p99Ms = bound("request-duration", "max");
  return {
    namespace,
    service,
    to,
    steps: stepsOf(analysis),
    intervalMs: interval === undefined ? defaultIntervalMs : parseDurationMs(interval)!,
    criteria: {
      ...(successPercent !== undefined && { successPercent }),
      ...(p99Ms !== undefined && { p99Ms }),
      minRequests,
    },
    threshold: Math.max(1, threshold),
    deadlineMs: progressDeadlineSeconds * 1_000,
    ...(mirror && { mirrorPercent: mirrorWeight || 100 }),
    ...(match && match.length > 0 && { match }),
    iterations: Math.max(1, iterations),
    ackTimeoutMs: 30_000,
  };
}

/** `stepWeight` again and again, up to `maxWeight`. */
function stepsOf({
  stepWeights = [],
  stepWeight = 0,
  maxWeight = 100,
}: CanaryAnalysisSpec): readonly number[] {
  if (stepWeights.length > 0) return stepWeights;
  if (stepWeight === 0) return [];
  const count = Math.max(1, Math.ceil(maxWeight / stepWeight));
  return Array.from({ length: count }, (_, i) => Math.min(maxWeight || 100, stepWeight * (i + 1)));
}
