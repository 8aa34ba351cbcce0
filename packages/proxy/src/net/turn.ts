import type { Clock } from "@weft/base/clock";

/** Something with output to write once the current event has been handled. */
export interface Flushable {
  isDirty: boolean;
  flush(): void;
}

let depth = 0;
/** Counts outermost turns: what was read of the clock in one holds until the next. */
let turns = 0;
let isScheduled = false;
/** Those with output, the first `dirtyCount` places; the rest are spent. Never shortened: that costs more than a turn. */
const dirty: (Flushable | undefined)[] = [];
let dirtyCount = 0;

/**
 * Runs around everything the network calls: what was written meanwhile leaves
 * in one system call per connection when the outermost one ends.
 */
export function enterTurn(): void {
  if (depth === 0) turns += 1;
  depth += 1;
}

export function leaveTurn(): void {
  depth -= 1;
  if (depth === 0 && dirtyCount > 0) flushDirty();
}

/** Flushes at the end of the current turn, or soon when there is none (a timer, a promise). */
export function markDirty(target: Flushable): void {
  if (target.isDirty) return;
  target.isDirty = true;
  dirty[dirtyCount++] = target;
  if (depth === 0 && !isScheduled) {
    isScheduled = true;
    setImmediate(flushLater);
  }
}

function flushLater(): void {
  isScheduled = false;
  if (depth === 0) flushDirty();
}

function flushDirty(): void {
  depth += 1;
  // A flush may make others writable again, which may write more: the list grows while it is walked.
  for (let i = 0; i < dirtyCount; i++) {
    const target = dirty[i]!;
    dirty[i] = undefined;
    target.isDirty = false;
    target.flush();
  }
  dirtyCount = 0;
  depth -= 1;
}

/**
 * The clock as the request path reads it: at most one real reading per turn,
 * because everything one event causes happens at one moment for our purposes.
 * Outside turns it is the clock itself.
 */
export function turnClock(clock: Clock): Clock {
  let monotonicTurn = -1;
  let monotonicMs = 0;
  let wallTurn = -1;
  let wallMs = 0;
  return {
    now() {
      if (depth === 0) return clock.now();
      if (wallTurn !== turns) {
        wallTurn = turns;
        wallMs = clock.now();
      }
      return wallMs;
    },
    monotonicMs() {
      if (depth === 0) return clock.monotonicMs();
      if (monotonicTurn !== turns) {
        monotonicTurn = turns;
        monotonicMs = clock.monotonicMs();
      }
      return monotonicMs;
    },
    setTimer: (run, delayMs, options) => clock.setTimer(run, delayMs, options),
    sleepMs: (delayMs, signal) => clock.sleepMs(delayMs, signal),
  };
}
