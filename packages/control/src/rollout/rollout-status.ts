import type { RolloutStatus, VersionCalls } from "../api/rollout-protocol.ts";
import { shownCalls } from "./calls.ts";
import type { Measurement } from "./judge.ts";
import { isOver, phaseOf, type Rollout, stagesOf } from "./rollout.ts";

/** What is said of a rollout: with the numbers of the current step, and the events after a number. */
export function rolloutStatus(
  rollout: Rollout,
  measurement: Measurement | undefined,
  after: number,
): RolloutStatus {
  const { id, plan, activity, reason, isPaused, waitingFor, stage, weight, failedChecks, events } = rollout;
  return {
    id,
    namespace: plan.namespace,
    service: plan.service,
    from: plan.stable.version,
    to: plan.canary.version,
    route: plan.route,
    phase: phaseOf(rollout),
    isOver: isOver(rollout),
    ...(activity.t === "over" && { outcome: activity.outcome }),
    ...(reason !== undefined && { reason }),
    isPaused,
    ...(waitingFor && { waitingFor: `${waitingFor.webhook} ${waitingFor.said}` }),
    stages: stagesOf(plan),
    stage,
    weight,
    failedChecks,
    threshold: plan.threshold,
    criteria: plan.criteria,
    intervalMs: plan.intervalMs,
    ...(activity.t === "measure" && measurement && measured(measurement)),
    startedAtMs: rollout.startedAtMs,
    changedAtMs: rollout.changedAtMs,
    startedBy: plan.startedBy,
    revision: rollout.revision,
    events: events.filter(({ number }) => number > after),
  };
}

function measured({ elapsedMs, canary, stable }: Measurement) {
  const all = canary.requests + stable.requests;
  return {
    elapsedMs,
    canary: shownCalls(canary),
    stable: shownCalls(stable),
    ...(all > 0 && { actualShare: canary.requests / all }),
  };
}

/** `120 calls, 100.00 % succeeded, p99 12 ms` */
export function callsText({ requests, failures, p99Ms }: VersionCalls): string {
  if (requests === 0) return "no calls";
  const share = ((1 - failures / requests) * 100).toFixed(2);
  const success = failures > 0 && share === "100.00" ? "99.99" : share;
  const latency = p99Ms === undefined ? "" : `, p99 ${p99Ms < 10 ? p99Ms.toFixed(1) : Math.round(p99Ms)} ms`;
  return `${requests} calls, ${success} % succeeded${latency}`;
}
