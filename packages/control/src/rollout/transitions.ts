import type { RolloutCommand, RolloutEvent } from "../api/rollout-protocol.ts";
import { shownCalls } from "./calls.ts";
import type { Measurement } from "./judge.ts";
import { type Answers, hookQuestions } from "./questions.ts";
import { type Activity, type Outcome, type Rollout, stagesOf } from "./rollout.ts";

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
  | { readonly t: "measured"; readonly measurement: Measurement; readonly answers?: Answers }
  /** While it awaits its start or its end. */
  | { readonly t: "answered"; readonly answers: Answers }
  | { readonly t: "restarted" }
  | { readonly t: "command"; readonly command: RolloutCommand };

/** Makes the route's text of the two that give the calls. */
export interface Texts {
  /** Of a stage. */
  stage(rollout: Rollout, stage: number): string;
  /** Of a route that knows the new version only. */
  promoted(rollout: Rollout): string;
}

const maxEvents = 400;

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
  const at = { ...rollout, stage, hasSaidWaiting: false, waitingFor: undefined, check: rollout.check + 1 };
  if (stage >= stages.length) return { ...at, activity: promotion(rollout, texts) };
  const { kind, percent } = stages[stage]!;
  const weight = kind === "weight" ? percent : 0;
  return { ...at, weight, activity: { t: "write", text: texts.stage(at, stage), goal: "stage" } };
}

function promotion(rollout: Rollout, texts: Texts): Activity {
  return { t: "write", text: texts.promoted(rollout), goal: "promote" };
}

/** Before the first step, where somebody is to be asked first. */
export function begun(rollout: Rollout, texts: Texts): Rollout {
  const hooks = rollout.plan.webhooks ?? [];
  const isAsked = hooks.some(
    ({ type }) => type === "confirm-rollout" || type === "pre-rollout" || type === "confirm-traffic-increase",
  );
  if (!isAsked) return entered(rollout, 0, texts);
  return { ...rollout, check: 1, activity: { t: "await", what: "start", againAtMs: 0 } };
}

/** At its end, or before it where somebody is to be told first. */
export function ended(rollout: Rollout, outcome: Outcome, weight = rollout.weight): Rollout {
  const at = { ...rollout, weight, waitingFor: undefined, check: rollout.check + 1 };
  const isTold = outcome !== "undone" && hookQuestions(at, "post-rollout", false).length > 0;
  return { ...at, activity: isTold ? { t: "await", what: "end", outcome } : { t: "over", outcome } };
}

/** On the way back. A route that is as it was needs no other text; it is acknowledged all the same. */
export function undone(
  rollout: Rollout,
  reason: string,
  atMs: number,
  goal: "roll back" | "abort" | "undo",
): Rollout {
  const activity: Activity = { t: "write", text: rollout.before, goal };
  const now = { ...rollout, reason, activity, isPaused: false, waitingFor: undefined };
  return said(now, atMs, "rolling back", `${reason}: back to ${rollout.plan.stable.version}`);
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
