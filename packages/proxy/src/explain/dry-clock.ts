import type { Clock, Timer } from "@weft/base/clock";

interface Pending {
  readonly dueMs: number;
  readonly run: () => void;
}

/** Time that passes only when told to, and then at once: what waits is seen to its end without waiting. */
export class DryClock implements Clock {
  #nowMs = 0;
  readonly #pending = new Set<Pending>();

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  setTimer(run: () => void, delayMs: number): Timer {
    const pending = { dueMs: this.#nowMs + Math.max(delayMs, 0), run };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  /** Never: nothing here is waited for by promises. */
  sleepMs(): Promise<void> {
    return new Promise(() => {});
  }

  /** Fires the timer that is due first; false where none is. */
  fireNext(): boolean {
    let first: Pending | undefined;
    for (const pending of this.#pending) if (!first || pending.dueMs < first.dueMs) first = pending;
    if (!first) return false;
    this.#pending.delete(first);
    this.#nowMs = Math.max(this.#nowMs, first.dueMs);
    first.run();
    return true;
  }
}
