import type { RolloutCommand } from "../api/rollout-protocol.ts";
import { answered } from "./answered.ts";
import { measured } from "./measured.ts";
import { noAnswers } from "./questions.ts";
import { type Rollout, stagesOf } from "./rollout.ts";
import { ended, entered, type Happening, said, stageText, type Texts, undone } from "./transitions.ts";

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
      return measured(rollout, happening.measurement, happening.answers ?? noAnswers, atMs, texts);
    case "answered":
      return answered(rollout, happening.answers, atMs, texts);
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

/** Of what is no longer wanted nothing comes: something else is to be written by then. */
function acknowledged(
  rollout: Rollout,
  { text, by }: Extract<Happening, { t: "acknowledged" }>,
  atMs: number,
): Rollout {
  const { activity, plan, reason } = rollout;
  if (activity.t !== "write" || activity.text !== text) return rollout;
  switch (activity.goal) {
    case "stage": {
      const message = `${stageText(rollout)} (${by})`;
      return said({ ...rollout, activity: { t: "measure" } }, atMs, "step", message);
    }
    case "promote":
      return said(
        ended(rollout, "promoted", 100),
        atMs,
        "promoted",
        `all calls go to ${plan.canary.version} (${by})`,
      );
    case "roll back":
      return said(
        ended(rollout, "rolled back", 0),
        atMs,
        "rolled back",
        `${reason}; the route is as it was (${by})`,
      );
    case "abort":
      return said(ended(rollout, "aborted", 0), atMs, "aborted", `${reason}; the route is as it was (${by})`);
    case "undo":
      return said(ended(rollout, "undone", 0), atMs, "undone", `${reason}; the route is as it was (${by})`);
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
  return said(ended({ ...rollout, reason }, outcome, weight), atMs, outcome, reason);
}

function displaced(rollout: Rollout, why: string, atMs: number): Rollout {
  const { activity } = rollout;
  if (activity.t === "over" || (activity.t === "await" && activity.what === "end")) return rollout;
  const reason = `${why}: the route stands as it was written there`;
  return said(ended({ ...rollout, reason }, "aborted"), atMs, "aborted", reason);
}

function commanded(rollout: Rollout, command: RolloutCommand, atMs: number, texts: Texts): Rollout {
  const { activity, isPaused, stage, plan } = rollout;
  const isBefore = activity.t === "await" && activity.what === "start";
  const isForward =
    isBefore || activity.t === "measure" || (activity.t === "write" && activity.goal === "stage");
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
      return entered(now, isFull ? stagesOf(plan).length : isBefore ? 0 : stage + 1, texts);
    }
    case "abort":
      if (!isForward && !(activity.t === "write" && activity.goal === "promote")) return rollout;
      return undone(rollout, "an operator aborted it", atMs, "abort");
    case "undo":
      if (activity.t !== "over" || activity.outcome !== "promoted") return rollout;
      return undone(rollout, "an operator undid it", atMs, "undo");
  }
}
