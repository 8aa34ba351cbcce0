import { performance } from "node:perf_hooks";

/**
 * Time as a dependency, so that tests decide when it passes.
 *
 * Everything in Weft that waits, expires or timestamps takes a `Clock`; only
 * the edge of a program (a command's entry point) names `systemClock`.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch. For certificates and log lines. */
  now(): number;
  /** Monotonic time in milliseconds. For durations: never jumps with the wall clock. */
  monotonicMs(): number;
  /** Calls `run` once after `delayMs`; the timer does not keep the process alive by itself unless `keepAlive`. */
  setTimer(run: () => void, delayMs: number, options?: { readonly keepAlive?: boolean }): Timer;
  /** Resolves after `delayMs`; rejects with the signal's reason when aborted first. */
  sleepMs(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** A pending timer. `cancel` is idempotent and safe after it has fired. */
export interface Timer {
  cancel(): void;
}

/** Longest delay Node's timers take without wrapping to 1 ms. */
const maxTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(run, delayMs, options) {
    const handle = setTimeout(run, Math.min(Math.max(delayMs, 0), maxTimerMs));
    if (!options?.keepAlive) handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
  sleepMs(delayMs, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        clearTimeout(handle);
        reject(signal!.reason);
      };
      const handle = setTimeout(
        () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
        Math.min(Math.max(delayMs, 0), maxTimerMs),
      );
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  },
};
