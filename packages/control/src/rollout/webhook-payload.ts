import { createHash } from "node:crypto";
import type { RolloutEvent, RolloutWebhook } from "../api/rollout-protocol.ts";
import { phaseOf, type Rollout } from "./rollout.ts";

/** What a webhook is sent, in Flagger's words; `event` is what a webhook of that type is told of. */
export function webhookPayload(rollout: Rollout, hook: RolloutWebhook, event?: RolloutEvent): object {
  const { plan, id, failedChecks, weight, stage } = rollout;
  const version = `${plan.namespace}/${plan.service} ${plan.canary.version} ${id}`;
  const told = event && {
    eventMessage: event.message,
    eventType: isWarning(event) ? "Warning" : "Normal",
    timestamp: String(Math.round(event.atMs)),
  };
  return {
    name: plan.name ?? plan.service,
    namespace: plan.namespace,
    phase: shownPhase(rollout),
    checksum: createHash("sha256").update(version).digest("hex").slice(0, 10),
    type: hook.type,
    failedChecks,
    canaryWeight: weight,
    iterations: stage,
    metadata: { ...hook.metadata, ...told },
  };
}

/** Who is told of the end is told which. */
function shownPhase(rollout: Rollout): string {
  const { activity } = rollout;
  if (activity.t !== "await" || activity.what !== "end") return phaseOf(rollout);
  return activity.outcome === "promoted" ? "Succeeded" : "Failed";
}

const warnings: ReadonlySet<RolloutEvent["kind"]> = new Set([
  "failed",
  "waiting",
  "webhook",
  "rolling back",
  "rolled back",
  "aborted",
  "undone",
]);

export function isWarning({ kind }: Pick<RolloutEvent, "kind">): boolean {
  return warnings.has(kind);
}
