import type { RolloutStatus } from "@weft/control/api/rollout-protocol";

/** One step of the picture. */
export interface PicturedStep {
  readonly label: string;
  /** How high it stands, 0–1. */
  readonly height: number;
  readonly state: "done" | "now" | "next" | "back";
  /** How much of it is over, 0–1. */
  readonly part: number;
}

const words = { mirror: "copies", match: "matching" } as const;

/** The steps of a rollout as they are drawn: what is over, what is measured now, what comes; or that it was taken back. */
export function rolloutSteps(status: RolloutStatus): readonly PicturedStep[] {
  const { stages, stage, isOver, outcome, elapsedMs = 0, intervalMs } = status;
  const isBack = isOver && outcome !== "promoted";
  return stages.map(({ kind, percent }, i) => {
    const label = kind === "weight" ? `${percent} %` : words[kind];
    const height = kind === "weight" ? percent / 100 : 0.04;
    const isPassed = i < stage || outcome === "promoted";
    if (isPassed) return { label, height, state: isBack ? "back" : "done", part: 1 };
    if (i > stage || isOver) return { label, height, state: i === stage ? "back" : "next", part: 0 };
    return { label, height, state: "now", part: Math.min(1, elapsedMs / intervalMs) };
  });
}
