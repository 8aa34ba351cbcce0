import { flag, type Infer, integer, list, number, object, text } from "./schema.ts";

const root = object(undefined, { subject: text(), fingerprint: text() });

export const rotationStatus = object(
  "RotationStatus",
  {
    phase: text("`prepare`, `trust`, `issue`, `retire`, `done`."),
    isForced: flag("The old root's key is in wrong hands: nothing waits for anybody."),
    from: root,
    to: root,
    steps: list(
      object(undefined, { phase: text(), atMs: number() }),
      "When each phase began, in order; the last is the current one.",
    ),
    acknowledged: integer("Workloads that have acknowledged the current phase."),
    waiting: list(object(undefined, { workload: text(), why: text() })),
  },
  "Replacing the root.",
);
export type RotationStatus = Infer<typeof rotationStatus>;
