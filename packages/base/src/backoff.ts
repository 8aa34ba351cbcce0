/**
 * Delays for repeated attempts: exponential with full jitter, so that clients
 * that failed together do not come back together.
 */
export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
  /** Uniform in [0, 1); injected so that tests are exact. */
  readonly random?: () => number;
}

export class Backoff {
  readonly #baseMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  #attempt = 0;

  constructor(options: BackoffOptions) {
    this.#baseMs = options.baseMs;
    this.#maxMs = options.maxMs;
    this.#random = options.random ?? Math.random;
  }

  /** The delay before the next attempt: uniform in (0, min(max, base · 2ⁿ)], never 0. */
  nextMs(): number {
    const ceiling = Math.min(this.#maxMs, this.#baseMs * 2 ** Math.min(this.#attempt, 30));
    this.#attempt += 1;
    return Math.max(1, Math.round(ceiling * (1 - this.#random())));
  }

  /** Starts over after a success. */
  reset(): void {
    this.#attempt = 0;
  }
}
