import type { RolloutPhase } from "../api/canary-protocol.ts";
import type { RolloutEvent, RolloutStage, RolloutStatus, StartRollout } from "../api/rollout-protocol.ts";

/** One of the two versions, as the route names it. */
export interface VersionRef {
  /** As people say it: `v3`. */
  readonly version: string;
  /** Of the service that is called, or of the backend an HTTPRoute names. */
  readonly hostname: string;
  /** Of a DestinationRule; absent where an HTTPRoute names a backend. */
  readonly subset?: string;
  /** Of that backend; in the route's own namespace. */
  readonly backend?: string;
}

/** What is to be done, with everything found that it takes. */
export interface RolloutPlan extends StartRollout {
  /** Of the service. */
  readonly hostname: string;
  readonly route: NonNullable<StartRollout["route"]>;
  readonly stable: VersionRef;
  readonly canary: VersionRef;
  readonly startedBy: string;
}

/**
 * What a rollout does now. `await`: asks webhooks before the first step, or tells
 * them of the end; `write`: makes the route's text this, and waits until the
 * proxies have acknowledged it; `measure`: looks at what the new version does.
 */
export type Activity =
  | {
      readonly t: "write";
      readonly text: string;
      readonly goal: "stage" | "promote" | "roll back" | "abort" | "undo";
    }
  | { readonly t: "measure" }
  /** Hooks that failed are asked again from then on, not before. */
  | { readonly t: "await"; readonly what: "start"; readonly againAtMs: number }
  | { readonly t: "await"; readonly what: "end"; readonly outcome: Outcome }
  | { readonly t: "over"; readonly outcome: Outcome };

export type Outcome = NonNullable<RolloutStatus["outcome"]>;

/** What holds a rollout. */
export interface Held {
  /** `confirm-promotion webhook gate` */
  readonly webhook: string;
  /** `answered 403: not yet` */
  readonly said: string;
}

/** A rollout as it is stored: all that a control plane that starts needs to go on. */
export interface Rollout {
  readonly id: number;
  readonly plan: RolloutPlan;
  /** The route's text before the rollout: what going back makes of it. */
  readonly before: string;
  /** The route's text as the rollout left it; another one is somebody else's. */
  readonly text: string;
  readonly stage: number;
  /** Percent that the new version is given. */
  readonly weight: number;
  readonly activity: Activity;
  readonly isPaused: boolean;
  /** What is said to be the matter, while it is undone and afterwards. */
  readonly reason?: string;
  readonly failedChecks: number;
  /** How many intervals have begun: answers of webhooks are of one of them. */
  readonly check: number;
  readonly waitingFor?: Held | undefined;
  /** The check of this step has said that it waits for calls. */
  readonly hasSaidWaiting: boolean;
  readonly startedAtMs: number;
  readonly changedAtMs: number;
  readonly revision: number;
  readonly events: readonly RolloutEvent[];
  /** Of the newest event. */
  readonly eventNumber: number;
}

/** The steps in their order: copies first, then those who match, then shares of all. */
export function stagesOf({ mirrorPercent, match, iterations, steps }: StartRollout): readonly RolloutStage[] {
  const repeated = (stage: RolloutStage): RolloutStage[] => Array(iterations).fill(stage);
  return [
    ...(mirrorPercent === undefined ? [] : repeated({ kind: "mirror", percent: mirrorPercent })),
    ...(match === undefined ? [] : repeated({ kind: "match", percent: 100 })),
    ...steps.map((percent) => ({ kind: "weight" as const, percent })),
  ];
}

/** `default/reviews`: of these only one is under way. */
export function serviceKey({ namespace, service }: { namespace: string; service: string }): string {
  return `${namespace}/${service}`;
}

export function isOver({ activity }: Rollout): boolean {
  return activity.t === "over";
}

export function phaseOf({ activity, isPaused, stage, waitingFor }: Rollout): RolloutPhase {
  switch (activity.t) {
    case "await":
      if (activity.what === "end") return "Finalising";
      return isPaused || waitingFor !== undefined ? "Waiting" : "Initializing";
    case "over":
      return activity.outcome === "promoted" ? "Succeeded" : "Failed";
    case "measure":
      return isPaused || waitingFor !== undefined ? "Waiting" : "Progressing";
    case "write":
      if (activity.goal === "promote") return "Promoting";
      if (activity.goal !== "stage") return "Finalising";
      return stage === 0 ? "Initializing" : "Progressing";
  }
}
