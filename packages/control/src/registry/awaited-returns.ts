import type { Clock, Timer } from "@weft/base/clock";

export interface AwaitedReturnsOptions {
  readonly clock: Clock;
  /** Who has not come back when nobody has for so long is gone. */
  readonly quietMs: number;
  /** And when so long has passed since the first was missed, whoever else comes. */
  readonly maxMs: number;
  onOver(): void;
}

/**
 * Decides when those who were lost all at once are not coming back: not while
 * others still do. Thousands who return together stand in a queue, and the last
 * of it is no more gone than the first.
 *
 * Time in which this process did not run counts for nobody's silence.
 */
export class AwaitedReturns {
  readonly #options: AwaitedReturnsOptions;
  #timer: Timer | undefined;
  #beganMs = 0;
  #lastMs = 0;
  #dueMs = 0;

  constructor(options: AwaitedReturnsOptions) {
    this.#options = options;
  }

  /** Somebody is awaited from now on. */
  begin(): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#lastMs = nowMs;
    if (this.#timer) return;
    this.#beganMs = nowMs;
    this.#wait(nowMs);
  }

  /** One of the awaited has come back. */
  returned(): void {
    this.#lastMs = this.#options.clock.monotonicMs();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #wait(nowMs: number): void {
    const { clock, quietMs } = this.#options;
    const delayMs = this.#lastMs + quietMs - nowMs;
    this.#dueMs = nowMs + delayMs;
    this.#timer = clock.setTimer(() => this.#look(), delayMs);
  }

  #look(): void {
    const { clock, quietMs, maxMs, onOver } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#dueMs > quietMs / 4) this.#lastMs = nowMs;
    if (nowMs - this.#lastMs < quietMs && nowMs - this.#beganMs < maxMs) {
      this.#wait(nowMs);
      return;
    }
    this.#timer = undefined;
    onOver();
  }
}
