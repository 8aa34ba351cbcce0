import { judge, type Measurement } from "./judge.ts";
import {
  type Answers,
  checkQuestions,
  confirmationsOf,
  firstHeld,
  firstRefusal,
  hookName,
  hookQuestions,
  isOpen,
} from "./questions.ts";
import type { Held, Rollout } from "./rollout.ts";
import { entered, said, stageText, type Texts, undone } from "./transitions.ts";

/**
 * What becomes of a step by what its calls, webhooks and metrics say. Calls are
 * judged first; who is asked besides is waited for, and must say yes.
 */
export function measured(
  rollout: Rollout,
  measurement: Measurement,
  answers: Answers,
  atMs: number,
  texts: Texts,
): Rollout {
  const { plan, activity } = rollout;
  if (activity.t !== "measure") return rollout;
  const asked = rolledBack(rollout, answers, atMs);
  if (asked) return asked;
  const verdict = judge(measurement, plan.criteria, plan.intervalMs);
  switch (verdict.t) {
    case "open":
      return rollout;
    case "passed":
      return passed(rollout, measurement, answers, atMs, texts);
    case "failed":
      return failed(rollout, measurement, verdict.why, atMs);
    case "too few":
      return tooFew(rollout, measurement, verdict.why, atMs);
  }
}

/** A webhook of the type rollback has said yes: the rollout is undone. */
export function rolledBack(rollout: Rollout, answers: Answers, atMs: number): Rollout | undefined {
  for (const question of hookQuestions(rollout, "rollback", true)) {
    if (question.t !== "webhook" || answers.get(question.id)?.t !== "yes") continue;
    return undone(rollout, `${hookName(question.hook)} asks for it`, atMs, "roll back");
  }
  return undefined;
}

/** What holds it is said once, whatever it says the next times it is asked. */
export function heldBy(rollout: Rollout, held: Held, atMs: number, measurement?: Measurement): Rollout {
  const { waitingFor: before } = rollout;
  if (before?.webhook === held.webhook && before.said === held.said) return rollout;
  const now = { ...rollout, waitingFor: held };
  if (before?.webhook === held.webhook) return now;
  return said(now, atMs, "waiting", `${held.webhook} ${held.said}`, measurement);
}

function passed(
  rollout: Rollout,
  measurement: Measurement,
  answers: Answers,
  atMs: number,
  texts: Texts,
): Rollout {
  const checks = checkQuestions(rollout);
  if (isOpen(checks, answers)) return rollout;
  const why = firstRefusal(checks, answers);
  if (why !== undefined) return failed(rollout, measurement, why, atMs);
  const done = () => said(rollout, atMs, "passed", `${stageText(rollout)}: passed`, measurement);
  if (rollout.isPaused) return again({ ...done(), waitingFor: undefined });
  const confirmations = confirmationsOf(rollout, "next");
  if (isOpen(confirmations, answers)) return rollout;
  const held = firstHeld(confirmations, answers);
  // Meanwhile it is judged as before, interval by interval.
  if (held !== undefined) return again(heldBy(rollout, held, atMs, measurement));
  return entered(done(), rollout.stage + 1, texts);
}

function failed(rollout: Rollout, measurement: Measurement, why: string, atMs: number): Rollout {
  const { plan, failedChecks } = rollout;
  const checks = failedChecks + 1;
  const count = plan.threshold > 1 ? ` (${checks} of ${plan.threshold})` : "";
  const message = `${stageText(rollout)}: ${why}${count}`;
  const now = said(
    { ...rollout, failedChecks: checks, waitingFor: undefined },
    atMs,
    "failed",
    message,
    measurement,
  );
  return checks >= plan.threshold ? undone(now, message, atMs, "roll back") : again(now);
}

function tooFew(rollout: Rollout, measurement: Measurement, why: string, atMs: number): Rollout {
  const { plan, isPaused } = rollout;
  const isLate = measurement.elapsedMs >= plan.intervalMs + plan.deadlineMs;
  const message = `${stageText(rollout)}: ${why}`;
  if (isLate && !isPaused) {
    const now = said(rollout, atMs, "failed", message, measurement);
    return undone(now, message, atMs, "roll back");
  }
  if (rollout.hasSaidWaiting) return rollout;
  const waiting = { ...rollout, hasSaidWaiting: true };
  return said(waiting, atMs, "waiting", `${message}: waits for more`, measurement);
}

/** The same step from the beginning of an interval. */
function again(rollout: Rollout): Rollout {
  return { ...rollout, hasSaidWaiting: false, check: rollout.check + 1, activity: { t: "measure" } };
}
