import { choice, type Infer, integer, list, number, object, text } from "./schema.ts";

/** In Flagger's words. */
export const rolloutPhase = choice([
  "Initializing",
  "Initialized",
  "Progressing",
  "Waiting",
  "Promoting",
  "Finalising",
  "Succeeded",
  "Failed",
]);
export type RolloutPhase = Infer<typeof rolloutPhase>;

export const canaryStatus = object(
  "CanaryStatus",
  {
    phase: rolloutPhase,
    canaryWeight: number(),
    failedChecks: integer(),
    iterations: integer("Index of the current step."),
    lastAppliedSpec: text("The version of its last rollout."),
    lastPromotedSpec: text("The version it promoted last."),
    lastTransitionTime: text(),
    conditions: list(
      object(undefined, {
        type: text(),
        status: choice(["True", "False", "Unknown"]),
        reason: text(),
        message: text(),
      }),
    ),
  },
  "The status of a Canary, as Flagger has it.",
);
export type CanaryStatusRecord = Infer<typeof canaryStatus>;
