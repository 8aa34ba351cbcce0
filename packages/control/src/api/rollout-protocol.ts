import { rolloutPhase } from "./canary-protocol.ts";
import { resourceKey } from "./protocol.ts";
import {
  asked,
  choice,
  flag,
  type Infer,
  integer,
  list,
  number,
  object,
  optional,
  table,
  text,
} from "./schema.ts";

/** What is said about rollouts: shifting the calls of a service from one version to another, step by step. */

const name = { minLength: 1, maxLength: 253 } as const;
const pattern = optional(text(undefined, { maxLength: 1_024 }));

const stringMatch = asked(
  "StringMatch",
  { exact: pattern, prefix: pattern, regex: pattern },
  "One of the three; `regex` is RE2.",
);

const rolloutMatch = asked(
  "RolloutMatch",
  {
    headers: optional(table(stringMatch)),
    queryParams: optional(table(stringMatch)),
    sourceLabels: optional(table(text())),
  },
  "As in a VirtualService; all of it must hold.",
);
export type RolloutMatch = Infer<typeof rolloutMatch>;

const criteria = asked(
  "RolloutCriteria",
  {
    successPercent: optional(
      number("Percent of the calls that are no server error.", { minimum: 0, maximum: 100 }),
    ),
    p99Ms: optional(number(undefined, { minimum: 1, maximum: 3_600_000 })),
    minRequests: integer("Fewer calls say nothing, neither good nor bad.", {
      minimum: 1,
      maximum: 1_000_000_000,
    }),
  },
  "What the new version must do in each step.",
);
export type RolloutCriteria = Infer<typeof criteria>;

/** In Flagger's words. */
const webhookType = choice([
  "confirm-rollout",
  "pre-rollout",
  "rollout",
  "confirm-traffic-increase",
  "confirm-promotion",
  "post-rollout",
  "rollback",
  "event",
]);

const url = text(
  "http or https; a public address over TLS, or where the control plane's --canary-allow reaches.",
  {
    minLength: 1,
    maxLength: 2_048,
  },
);

const rolloutWebhook = asked(
  "RolloutWebhook",
  {
    name: text(undefined, name),
    type: webhookType,
    url,
    timeoutMs: number("Of one try.", { minimum: 100, maximum: 600_000 }),
    retries: integer("After tries that nobody answered with 200 to 202.", { minimum: 0, maximum: 10 }),
    metadata: optional(table(text(undefined, { maxLength: 4_096 }))),
    isMuted: optional(flag("No alert is sent while it is waited for.")),
  },
  "What is asked, or told, on the way; with Flagger's JSON, by POST.",
);
export type RolloutWebhook = Infer<typeof rolloutWebhook>;

const rolloutQuery = asked(
  "RolloutQuery",
  {
    name: text(undefined, name),
    url: optional(url),
    query: text("PromQL; the first value of what it gives counts.", { minLength: 1, maxLength: 8_192 }),
    min: optional(number()),
    max: optional(number()),
  },
  "What a Prometheus must say of each step; without `url` the control plane's own.",
);
export type RolloutQuery = Infer<typeof rolloutQuery>;

const rolloutAlert = asked(
  "RolloutAlert",
  {
    name: text(undefined, name),
    type: choice(["slack", "discord", "msteams", "rocket"]),
    url,
    severity: choice(["info", "warn", "error"]),
    channel: optional(text(undefined, { maxLength: 253 })),
    username: optional(text(undefined, { maxLength: 253 })),
  },
  "A chat that is told what is at least so grave, by its incoming webhook.",
);
export type RolloutAlert = Infer<typeof rolloutAlert>;

export const startRollout = asked("StartRollout", {
  namespace: text(undefined, name),
  service: text(undefined, name),
  to: text(
    "The new version: a subset's name or its label `version`; of an HTTPRoute a backend, or the end of its name.",
    name,
  ),
  from: optional(text("The version that gives way; absent where only one gets calls.", name)),
  steps: list(
    integer(undefined, { minimum: 1, maximum: 100 }),
    "Percent of the calls of `from`, each more than the one before; none where there is `match` or `mirrorPercent`.",
    { maxItems: 100 },
  ),
  intervalMs: number("How long each step is measured.", { minimum: 1_000, maximum: 86_400_000 }),
  criteria,
  threshold: integer("How often a step may be measured and found wanting before all of it is undone.", {
    minimum: 1,
    maximum: 1_000,
  }),
  deadlineMs: number("How long a step may wait for enough calls after its interval.", {
    minimum: 0,
    maximum: 604_800_000,
  }),
  mirrorPercent: optional(
    number("First this share of the calls is copied to the new version, whose answers are dropped.", {
      minimum: 1,
      maximum: 100,
    }),
  ),
  match: optional(
    list(rolloutMatch, "Requests that match any of these go to the new version from the beginning.", {
      minItems: 1,
      maxItems: 20,
    }),
  ),
  iterations: integer("How often what comes before the steps, copies and matching requests, is measured.", {
    minimum: 1,
    maximum: 100,
  }),
  ackTimeoutMs: number("How long the proxies may take to acknowledge a change.", {
    minimum: 100,
    maximum: 600_000,
  }),
  route: optional(resourceKey),
  name: optional(text("What webhooks are told that it is called; without it the service.", name)),
  webhooks: optional(list(rolloutWebhook, undefined, { maxItems: 20 })),
  queries: optional(list(rolloutQuery, "Asked at the end of each interval.", { maxItems: 20 })),
  alerts: optional(list(rolloutAlert, undefined, { maxItems: 20 })),
});
export type StartRollout = Infer<typeof startRollout>;

const versionCalls = object(
  "VersionCalls",
  { requests: integer(), failures: integer(), p99Ms: optional(number()) },
  "What one version did since its step began.",
);
export type VersionCalls = Infer<typeof versionCalls>;

const rolloutEvent = object("RolloutEvent", {
  number: integer("From 1, per rollout."),
  atMs: number(),
  kind: choice([
    "started",
    "step",
    "passed",
    "failed",
    "waiting",
    "webhook",
    "paused",
    "resumed",
    "restarted",
    "rolling back",
    "promoting",
    "promoted",
    "rolled back",
    "aborted",
    "undone",
  ]),
  message: text(),
  weight: number("Percent of the calls that the new version was given then."),
  canary: optional(versionCalls),
  stable: optional(versionCalls),
});
export type RolloutEvent = Infer<typeof rolloutEvent>;

const rolloutStage = object(
  "RolloutStage",
  { kind: choice(["mirror", "match", "weight"]), percent: number() },
  "`mirror`: of copies; `match`: of requests that match, and no others; `weight`: of all.",
);
export type RolloutStage = Infer<typeof rolloutStage>;

export const rolloutStatus = object("RolloutStatus", {
  id: integer(),
  namespace: text(),
  service: text(),
  from: text(),
  to: text(),
  route: resourceKey,
  phase: rolloutPhase,
  isOver: flag(),
  outcome: optional(choice(["promoted", "rolled back", "aborted", "undone"])),
  reason: optional(text("Why it was not promoted, or is being undone.")),
  isPaused: flag(),
  waitingFor: optional(text("The webhook that holds it, and what that answered.")),
  stages: list(rolloutStage),
  stage: integer("Index of the current stage; as many as there are when all are done."),
  weight: number("Percent of the calls that the new version is to get now."),
  actualShare: optional(number("What it got of the calls of both since the step began, 0–1.")),
  failedChecks: integer(),
  threshold: integer(),
  criteria,
  intervalMs: number(),
  elapsedMs: optional(number("Of the current step, since it is measured.")),
  canary: optional(versionCalls),
  stable: optional(versionCalls),
  startedAtMs: number(),
  changedAtMs: number(),
  startedBy: text(),
  revision: integer("Of its newest change."),
  events: list(rolloutEvent, "Those that were asked for, oldest first."),
});
export type RolloutStatus = Infer<typeof rolloutStatus>;

export const rolloutList = object("RolloutList", { rollouts: list(rolloutStatus) });

/** `promote`: on to the next step now; `promote-full`: past all of them. */
export const rolloutCommand = choice(["pause", "resume", "promote", "promote-full", "abort", "undo"]);
export type RolloutCommand = Infer<typeof rolloutCommand>;
