/** So many at once, and so many per second after that. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** Callers remembered at most; the one that was longest quiet is forgotten first. */
const maxCallers = 10_000;

/**
 * Token buckets, one per caller. Its memory is bounded however many callers
 * there are; forgetting one only gives it its burst back.
 */
export class RateLimit {
  readonly #rate: Rate;
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** How long the caller has to wait for its next one; 0 when it need not. Takes nothing. */
  waitMs(caller: string, nowMs: number): number {
    const { tokens } = this.#bucket(caller, nowMs);
    return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) / this.#rate.perSecond) * 1000);
  }

  /** Takes one, when there is one. */
  take(caller: string, nowMs: number): void {
    const bucket = this.#bucket(caller, nowMs);
    bucket.tokens = Math.max(0, bucket.tokens - 1);
    this.#buckets.delete(caller);
    this.#buckets.set(caller, bucket);
    if (this.#buckets.size <= maxCallers) return;
    const [oldest] = this.#buckets.keys();
    if (oldest !== undefined) this.#buckets.delete(oldest);
  }

  #bucket(caller: string, nowMs: number): Bucket {
    const before = this.#buckets.get(caller);
    if (!before) return { tokens: this.#rate.burst, atMs: nowMs };
    const gained = (Math.max(0, nowMs - before.atMs) / 1000) * this.#rate.perSecond;
    return { tokens: Math.min(this.#rate.burst, before.tokens + gained), atMs: nowMs };
  }
}
