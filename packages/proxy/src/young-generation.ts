import { performance } from "node:perf_hooks";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** The part of the heap where every object begins, as far as it can be looked at and given back. */
export interface YoungGeneration {
  /** What it has taken from the system, used or not. */
  committedBytes(): number;
  /** The share of time since the last call in which the event loop was at work, 0–1. */
  busyShare(): number;
  /** Collects everything and lets it begin small again. Stops the thread, for about 70 ms of its CPU. */
  shrink(): void;
}

interface CollectOptions {
  readonly type: "major";
  readonly flavor: "last-resort";
}

/** That of this thread's heap. */
export function youngGeneration(): YoungGeneration {
  let last = performance.eventLoopUtilization();
  return {
    committedBytes() {
      return getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")?.space_size ?? 0;
    },
    busyShare() {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    shrink() {
      setFlagsFromString("--expose-gc");
      const collect = runInNewContext("gc") as (options: CollectOptions) => void;
      setFlagsFromString("--no-expose-gc");
      // Only the last resort gives the young generation's own pages back.
      collect({ type: "major", flavor: "last-resort" });
    },
  };
}
