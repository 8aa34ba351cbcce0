import { heldBy, rolledBack } from "./measured.ts";
import {
  type Answers,
  confirmationsOf,
  firstHeld,
  firstRefusal,
  hookQuestions,
  isOpen,
} from "./questions.ts";
import type { Rollout } from "./rollout.ts";
import { entered, said, type Texts, undone } from "./transitions.ts";

/** What becomes of a rollout that awaits its start or its end, by what webhooks say. */
export function answered(rollout: Rollout, answers: Answers, atMs: number, texts: Texts): Rollout {
  const { activity } = rollout;
  if (activity.t !== "await") return rollout;
  return activity.what === "end"
    ? told(rollout, activity.outcome, answers, atMs)
    : admitted(rollout, answers, atMs, texts);
}

/** Everybody confirms, then everybody prepares; what fails to prepare counts as a failed check. */
function admitted(rollout: Rollout, answers: Answers, atMs: number, texts: Texts): Rollout {
  const { plan, failedChecks, isPaused } = rollout;
  const asked = rolledBack(rollout, answers, atMs);
  if (asked) return asked;
  const confirmations = confirmationsOf(rollout, "start");
  const held = firstHeld(confirmations, answers);
  if (held !== undefined) return heldBy(rollout, held, atMs);
  const preparing = hookQuestions(rollout, "pre-rollout", false);
  if (isOpen(confirmations, answers) || isOpen(preparing, answers)) return rollout;
  const why = firstRefusal(preparing, answers);
  if (why === undefined) return isPaused ? rollout : entered(rollout, 0, texts);
  const checks = failedChecks + 1;
  const now = said({ ...rollout, failedChecks: checks, waitingFor: undefined }, atMs, "failed", why);
  if (checks >= plan.threshold) return undone(now, why, atMs, "roll back");
  const activity = { t: "await", what: "start", againAtMs: atMs + plan.intervalMs } as const;
  return { ...now, check: rollout.check + 1, activity };
}

/** It ends whatever they say. */
function told(
  rollout: Rollout,
  outcome: "promoted" | "rolled back" | "aborted" | "undone",
  answers: Answers,
  atMs: number,
): Rollout {
  const hooks = hookQuestions(rollout, "post-rollout", false);
  if (isOpen(hooks, answers)) return rollout;
  const why = firstRefusal(hooks, answers);
  const now = why === undefined ? rollout : said(rollout, atMs, "webhook", why);
  return { ...now, activity: { t: "over", outcome } };
}
