import type { Clock, Timer } from "@weft/base/clock";

export interface DescriptorGuardOptions {
  readonly clock: Clock;
  /** How many descriptors this process may have. */
  readonly limit: number;
  /** Connections open now. */
  connections(): number;
  /** Connections are to wait (true), or may be taken again. */
  onShortage(isShort: boolean): void;
}

/** How often a shortage is looked at again. */
const recheckMs = 50;

/**
 * Stops taking connections before descriptors run out, so that those that were
 * taken can still reach their upstream, and files can be opened.
 *
 * The kernel always gives the lowest free descriptor: the number of the newest
 * connection is a bound on how many are open, at no cost.
 */
export class DescriptorGuard {
  readonly #options: DescriptorGuardOptions;
  /** An eighth is left for upstream connections and files. */
  readonly #high: number;
  /** How many connections must have ended before others are taken. */
  readonly #room: number;
  #timer: Timer | undefined;

  constructor(options: DescriptorGuardOptions) {
    this.#options = options;
    const reserve = Math.min(1_024, Math.max(16, Math.floor(options.limit / 8)));
    this.#high = options.limit - reserve;
    this.#room = Math.ceil(reserve / 4);
  }

  /** A connection was taken under this descriptor. */
  saw(fd: number): void {
    if (fd < this.#high || this.#timer) return;
    this.#options.onShortage(true);
    this.#recheckLater(Math.max(0, this.#options.connections() - this.#room));
  }

  close(): void {
    this.#timer?.cancel();
  }

  #recheckLater(enough: number): void {
    this.#timer = this.#options.clock.setTimer(() => {
      if (this.#options.connections() > enough) {
        this.#recheckLater(enough);
        return;
      }
      this.#timer = undefined;
      this.#options.onShortage(false);
    }, recheckMs);
  }
}
