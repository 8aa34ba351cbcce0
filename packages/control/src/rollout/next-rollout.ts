import type { RolloutCommand, RolloutEvent } from "../api/rollout-protocol.ts";
import { shownCalls } from "./calls.ts";
import { judge, type Measurement } from "./judge.ts";
import { type Activity, type Rollout, stagesOf } from "./rollout.ts";

/** What can happen to a rollout. */
export type Happening =
  /** A text of its own is in force now, as this revision. */
  | { readonly t: "written"; readonly text: string; readonly revision: number }
  /** Every proxy has acknowledged it. */
  | { readonly t: "acknowledged"; readonly text: string; readonly by: string }
  /** A text could not be written, or a proxy refused it, or not all have acknowledged it. */
  | { readonly t: "refused"; readonly text: string; readonly why: string }
  /** Somebody else has changed the route. */
  | { readonly t: "displaced"; readonly why: string }
  | { readonly t: "measured"; readonly measurement: Measurement }
  | { readonly t: "restarted" }
  | { readonly t: "command"; readonly command: RolloutCommand };

/** Makes the route's text of the two that give the calls. */
export interface Texts {
  /** Of a stage. */
  stage(rollout: Rollout, stage: number): string;
  /** Of a route that knows the new version only. */
  promoted(rollout: Rollout): string;
}

type Outcome = Extract<Activity, { t: "over" }>["outcome"];

const maxEvents = 400;

/**
 * What becomes of a rollout by what happens. Pure: the same rollout where
 * nothing changes. Nothing takes a rollout out of its end but `undo`.
 */
export function nextRollout(rollout: Rollout, happening: Happening, atMs: number, texts: Texts): Rollout {
  switch (happening.t) {
    case "written":
      return { ...rollout, text: happening.text, revision: happening.revision };
    case "acknowledged":
      return acknowledged(rollout, happening, atMs);
    case "refused":
      return refused(rollout, happening, atMs);
    case "displaced":
      return displaced(rollout, happening.why, atMs);
    case "measured":
      return measured(rollout, happening.measurement, atMs, texts);
    case "restarted":
      if (rollout.activity.t === "over") return rollout;
      return said(
        rollout,
        atMs,
        "restarted",
        "the control plane was started anew: the step is measured again",
      );
    case "command":
      return commanded(rollout, happening.command, atMs, texts);
  }
}

/** The rollout with one more event; the oldest leave when there are many. */
export function said(
  rollout: Rollout,
  atMs: number,
  kind: RolloutEvent["kind"],
  message: string,
  measurement?: Measurement,
): Rollout {
  const number = rollout.eventNumber + 1;
  const calls = measurement && {
    canary: shownCalls(measurement.canary),
    stable: shownCalls(measurement.stable),
  };
  const event = { number, atMs, kind, message, weight: rollout.weight, ...calls };
  const events = [...rollout.events, event].slice(-maxEvents);
  return { ...rollout, events, eventNumber: number, changedAtMs: atMs };
}

/** The rollout at the beginning of a stage, or of its promotion behind the last. */
export function entered(rollout: Rollout, stage: number, texts: Texts): Rollout {
  const stages = stagesOf(rollout.plan);
  const at = { ...rollout, stage, hasSaidWaiting: false };
  if (stage >= stages.length) return { ...at, activity: promotion(rollout, texts) };
  const { kind, percent } = stages[stage]!;
  const weight = kind === "weight" ? percent : 0;
  return { ...at, weight, activity: { t: "write", text: texts.stage(at, stage), goal: "stage" } };
}

function promotion(rollout: Rollout, texts: Texts): Activity {
  return { t: "write", text: texts.promoted(rollout), goal: "promote" };
}

/** Of what is no longer wanted nothing comes: something else is to be written by then. */
function acknowledged(
  rollout: Rollout,
  { text, by }: Extract<Happening, { t: "acknowledged" }>,
  atMs: number,
): Rollout {
  const { activity, plan, reason } = rollout;
  if (activity.t !== "write" || activity.text !== text) return rollout;
  const over = (outcome: Outcome, weight: number): Rollout => ({
    ...rollout,
    weight,
    activity: { t: "over", outcome },
  });
  switch (activity.goal) {
    case "stage": {
      const message = `${stageText(rollout)} (${by})`;
      return said({ ...rollout, activity: { t: "measure" } }, atMs, "step", message);
    }
    case "promote":
      return said(over("promoted", 100), atMs, "promoted", `all calls go to ${plan.canary.version} (${by})`);
    case "roll back":
      return said(over("rolled back", 0), atMs, "rolled back", `${reason}; the route is as it was (${by})`);
    case "abort":
      return said(over("aborted", 0), atMs, "aborted", `${reason}; the route is as it was (${by})`);
    case "undo":
      return said(over("undone", 0), atMs, "undone", `${reason}; the route is as it was (${by})`);
  }
}

function refused(
  rollout: Rollout,
  { text, why }: Extract<Happening, { t: "refused" }>,
  atMs: number,
): Rollout {
  const { activity } = rollout;
  if (activity.t !== "write" || activity.text !== text) return rollout;
  if (activity.goal === "stage" || activity.goal === "promote")
    return undone(rollout, why, atMs, "roll back");
  // Going back is the last thing there is to do: what could not be written stays as it is.
  const outcome = ({ "roll back": "rolled back", abort: "aborted", undo: "undone" } as const)[activity.goal];
  const isWritten = rollout.text === text;
  const end = isWritten
    ? `the route is as it was, but ${why}`
    : `the route could not be made what it was: ${why}`;
  const reason = `${rollout.reason}; ${end}`;
  const weight = isWritten ? 0 : rollout.weight;
  return said({ ...rollout, weight, reason, activity: { t: "over", outcome } }, atMs, outcome, reason);
}

function displaced(rollout: Rollout, why: string, atMs: number): Rollout {
  if (rollout.activity.t === "over") return rollout;
  const reason = `${why}: the route stands as it was written there`;
  return said({ ...rollout, reason, activity: { t: "over", outcome: "aborted" } }, atMs, "aborted", reason);
}

function measured(rollout: Rollout, measurement: Measurement, atMs: number, texts: Texts): Rollout {
  const { plan, activity, isPaused, failedChecks, stage } = rollout;
  if (activity.t !== "measure") return rollout;
  const verdict = judge(measurement, plan.criteria, plan.intervalMs);
  switch (verdict.t) {
    case "open":
      return rollout;
    case "passed": {
      const now = said(rollout, atMs, "passed", `${stageText(rollout)}: passed`, measurement);
      return isPaused
        ? { ...now, hasSaidWaiting: false, activity: { t: "measure" } }
        : entered(now, stage + 1, texts);
    }
    case "failed": {
      const checks = failedChecks + 1;
      const count = plan.threshold > 1 ? ` (${checks} of ${plan.threshold})` : "";
      const message = `${stageText(rollout)}: ${verdict.why}${count}`;
      const now = said({ ...rollout, failedChecks: checks }, atMs, "failed", message, measurement);
      if (checks >= plan.threshold) return undone(now, message, atMs, "roll back");
      return { ...now, hasSaidWaiting: false, activity: { t: "measure" } };
    }
    case "too few": {
      const isLate = measurement.elapsedMs >= plan.intervalMs + plan.deadlineMs;
      const message = `${stageText(rollout)}: ${verdict.why}`;
      if (isLate && !isPaused) {
        const now = said(rollout, atMs, "failed", message, measurement);
        return undone(now, message, atMs, "roll back");
      }
      if (rollout.hasSaidWaiting) return rollout;
      return said(
        { ...rollout, hasSaidWaiting: true },
        atMs,
        "waiting",
        `${message}: waits for more`,
        measurement,
      );
    }
  }
}

/** On the way back. A route that is as it was needs no other text; it is acknowledged all the same. */
function undone(
  rollout: Rollout,
  reason: string,
  atMs: number,
  goal: "roll back" | "abort" | "undo",
): Rollout {
  const activity: Activity = { t: "write", text: rollout.before, goal };
  const now = { ...rollout, reason, activity, isPaused: false };
  return said(now, atMs, "rolling back", `${reason}: back to ${rollout.plan.stable.version}`);
}

function commanded(rollout: Rollout, command: RolloutCommand, atMs: number, texts: Texts): Rollout {
  const { activity, isPaused, stage, plan } = rollout;
  const isForward = activity.t === "measure" || (activity.t === "write" && activity.goal === "stage");
  switch (command) {
    case "pause":
      if (!isForward || isPaused) return rollout;
      return said(
        { ...rollout, isPaused: true },
        atMs,
        "paused",
        "it stays where it is; what fails is undone",
      );
    case "resume":
      if (!isForward || !isPaused) return rollout;
      return said({ ...rollout, isPaused: false }, atMs, "resumed", `${stageText(rollout)}: goes on`);
    case "promote":
    case "promote-full": {
      if (!isForward) return rollout;
      const isFull = command === "promote-full";
      const what = isFull ? "past all steps" : "to the next step";
      const now = said({ ...rollout, isPaused: false }, atMs, "promoting", `${what}, as an operator asks`);
      return entered(now, isFull ? stagesOf(plan).length : stage + 1, texts);
    }
    case "abort":
      if (!isForward && !(activity.t === "write" && activity.goal === "promote")) return rollout;
      return undone(rollout, "an operator aborted it", atMs, "abort");
    case "undo":
      if (activity.t !== "over" || activity.outcome !== "promoted") return rollout;
      return undone(rollout, "an operator undid it", atMs, "undo");
  }
}

/** `step 2 of 4, 25 % to v3` */
export function stageText({ plan, stage }: Rollout): string {
  const stages = stagesOf(plan);
  const one = stages[stage];
  if (!one) return "promotion";
  const { version } = plan.canary;
  const what = {
    mirror: `copies of ${one.percent} % to ${version}`,
    match: `matching requests to ${version}`,
    weight: `${one.percent} % to ${version}`,
  }[one.kind];
  return `step ${stage + 1} of ${stages.length}, ${what}`;
}
