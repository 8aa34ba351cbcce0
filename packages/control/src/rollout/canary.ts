import type { CanaryStatusRecord } from "../api/canary-protocol.ts";
import type { Rollout } from "./rollout.ts";

/** What is remembered of a Canary: all that decides whether a version is new. */
export interface CanaryState {
  /** Versions that were there when it was made, or have had their rollout since. */
  readonly known: readonly string[];
  /** The version of its last rollout. */
  readonly version?: string;
  readonly promoted?: string;
  readonly phase: CanaryStatusRecord["phase"];
  readonly message: string;
  readonly changedAtMs: number;
  /** Its rollout was paused because it is suspended. */
  readonly isHeld?: boolean;
}

/** What is to be seen of the service of a Canary. */
export interface CanarySight {
  /** Versions with a healthy instance. */
  readonly present: readonly string[];
  /** Versions with any instance. */
  readonly registered: readonly string[];
  /** Its own rollout under way, or the last one. */
  readonly rollout: Pick<Rollout, "plan" | "activity"> | undefined;
  readonly isSuspended: boolean;
}

export type CanaryStep = { readonly state: CanaryState; readonly start?: string };

/**
 * What a Canary makes of what is to be seen. A version is new when it has a
 * healthy instance and is none of those known: those that were there when the
 * Canary was made, and those that had their rollout. One that failed is forgotten
 * when its last instance has left, so that it is tried again when it comes back.
 * Pure.
 */
export function nextCanary(before: CanaryState | undefined, sight: CanarySight, atMs: number): CanaryStep {
  const { present, registered, rollout, isSuspended } = sight;
  if (!before) {
    const message = "versions that are there now are known";
    return { state: { known: present, phase: "Initialized", message, changedAtMs: atMs } };
  }
  const state = followed(before, rollout, registered, atMs);
  if (state.phase === "Progressing" || isSuspended) return { state };
  const fresh = present.filter((version) => !state.known.includes(version));
  if (fresh.length === 0) return { state };
  if (fresh.length > 1) {
    return { state: changed(state, "Waiting", `${fresh.join(" and ")} are new: one at a time`, atMs) };
  }
  return { state, start: fresh[0]! };
}

/** A rollout to a version has begun. */
export function begunCanary(state: CanaryState, version: string, atMs: number): CanaryState {
  const known = [...new Set([...state.known, version])];
  return { ...changed(state, "Progressing", `${version} is new`, atMs), known, version };
}

export function changed(
  state: CanaryState,
  phase: CanaryState["phase"],
  message: string,
  atMs: number,
): CanaryState {
  if (state.phase === phase && state.message === message) return state;
  return { ...state, phase, message, changedAtMs: atMs };
}

function followed(
  state: CanaryState,
  rollout: CanarySight["rollout"],
  registered: readonly string[],
  atMs: number,
): CanaryState {
  const { phase, version } = state;
  if (phase === "Progressing") {
    const isOwn = rollout?.plan.canary.version === version;
    if (isOwn && rollout?.activity.t !== "over") return state;
    const isPromoted = isOwn && rollout?.activity.t === "over" && rollout.activity.outcome === "promoted";
    if (isPromoted)
      return { ...changed(state, "Succeeded", `${version} is promoted`, atMs), promoted: version! };
    return changed(state, "Failed", `${version} was taken back`, atMs);
  }
  if (phase === "Failed" && version !== undefined && !registered.includes(version)) {
    return { ...state, known: state.known.filter((one) => one !== version) };
  }
  return state;
}
