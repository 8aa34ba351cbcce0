import { diagnostic } from "./diagnostic-schema.ts";
import { changeAction, resourceKey, syncResult, xdsKinds } from "./protocol.ts";
import {
  anyObject,
  asked,
  choice,
  either,
  flag,
  type Infer,
  integer,
  list,
  number,
  object,
  optional,
  text,
} from "./schema.ts";

/** What is said about changes of the configuration: what is asked for, and what became of it. */

/** How long a change may wait to be confirmed. */
export const maxSyncMs = 600_000;

const applyFile = asked(
  "ApplyFile",
  {
    name: text("What diagnostics point to.", { maxLength: 4096 }),
    text: text("YAML; may hold several documents."),
  },
  "One file as the person has it.",
);
export type ApplyFile = Infer<typeof applyFile>;

const files = list(applyFile, undefined, { maxItems: 20_000 });

const confirmation = asked(
  "Confirmation",
  {
    timeoutMs: number("It is undone when a proxy refuses it, or has not acknowledged it by then.", {
      minimum: 0,
      maximum: maxSyncMs,
    }),
  },
  "The change stays only if every proxy takes it.",
);
export type Confirmation = Infer<typeof confirmation>;

const dryRun = optional(flag("Says what would happen and changes nothing."));

export const applyRequest = asked("Apply", { files, dryRun, confirm: optional(confirmation) });
export type ApplyRequest = Infer<typeof applyRequest>;

export const diffRequest = asked("Diff", { files });
export type DiffRequest = Infer<typeof diffRequest>;

export const rollbackRequest = asked(
  "Rollback",
  {
    revision: integer("To be as at this one; 0 is before the first.", {
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
    }),
    resource: optional(resourceKey),
    dryRun,
    confirm: optional(confirmation),
  },
  "Back to what the configuration was at a revision: all of it, or one resource.",
);
export type RollbackRequest = Infer<typeof rollbackRequest>;

const applyAction = choice(["created", "changed", "unchanged", "deleted"]);
export type ApplyAction = Infer<typeof applyAction>;

const changedResource = object(undefined, { ...resourceKey.properties, action: applyAction });

const confirmed = object(
  "Confirmed",
  {
    sync: syncResult,
    undone: optional(
      either(object(undefined, { revision: integer() }), object(undefined, { problem: text() })),
    ),
  },
  "`undone`: the revision without the change, or why it could not be undone.",
);
export type Confirmed = Infer<typeof confirmed>;

export const applyResult = object("ApplyResult", {
  revision: integer("That holds these resources; the one before when nothing changed or it was a dry run."),
  dryRun: flag(),
  resources: list(changedResource),
  diagnostics: list(
    diagnostic,
    "Warnings and notes; a refused apply is an error that carries its diagnostics instead.",
  ),
  confirmed: optional(confirmed),
});
export type ApplyResult = Infer<typeof applyResult>;

const resourceDiff = object("ResourceDiff", {
  ...resourceKey.properties,
  action: applyAction,
  before: optional(text("The text in force.")),
  after: optional(text()),
});
export type ResourceDiff = Infer<typeof resourceDiff>;

const proxyChange = object(
  "ProxyChange",
  {
    kind: choice(xdsKinds),
    name: text(),
    action: changeAction,
    workloads: list(text()),
    before: optional(anyObject()),
    after: optional(anyObject()),
  },
  "One xDS resource that would be another, for these workloads.",
);
export type ProxyChange = Infer<typeof proxyChange>;

export const diffResult = object(
  "DiffResult",
  {
    revision: integer(),
    resources: list(resourceDiff),
    proxies: list(proxyChange),
    unseen: object(
      undefined,
      { workloads: integer(), changes: integer() },
      "What there is beside: workloads that were not looked at, changes that are not shown.",
    ),
    diagnostics: list(diagnostic),
  },
  "What an apply would change: in what is written, and for the sidecars of connected workloads.",
);
export type DiffResult = Infer<typeof diffResult>;

const resourceVersion = object(
  "ResourceVersion",
  {
    version: integer("From 1, per resource."),
    revision: integer(),
    action: changeAction,
    author: text(),
    changedAtMs: integer(),
    origin: text(),
    text: text(),
  },
  "One version of a resource, as it was written.",
);
export type ResourceVersionRecord = Infer<typeof resourceVersion>;

export const resourceVersions = object("ResourceVersions", {
  versions: list(resourceVersion, "Newest first."),
});

export const deleteResult = object("DeleteResult", { revision: integer(), resource: resourceKey });
export type DeleteResult = Infer<typeof deleteResult>;
