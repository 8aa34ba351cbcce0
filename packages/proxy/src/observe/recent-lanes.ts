import { TokenBucket } from "../filters/rate-limit/token-bucket.ts";

/** Of each kind so many are kept … */
const kept = 256;
/** … and taken, once there were many at once. */
const rate = { maxTokens: 128, tokensPerFill: 50, fillIntervalMs: 1000 };

interface Lane<T> {
  readonly bucket: TokenBucket;
  readonly ring: T[];
  next: number;
}

/**
 * The newest of two kinds of things: what failed is not driven out by what did
 * not. Where there are many in a second only some are taken, so that what is
 * kept reaches back some seconds however busy it is, and costs nothing then.
 */
export class RecentLanes<T> {
  readonly #failing: Lane<T>;
  readonly #others: Lane<T>;

  /** `nowMs` is monotonic, here and below. */
  constructor(nowMs: number) {
    this.#failing = { bucket: new TokenBucket(rate, nowMs), ring: [], next: 0 };
    this.#others = { bucket: new TokenBucket(rate, nowMs), ring: [], next: 0 };
  }

  /** Whether one more is taken now: ask before making it. */
  takes(isFailing: boolean, nowMs: number): boolean {
    return this.#lane(isFailing).bucket.take(nowMs);
  }

  add(isFailing: boolean, value: T): void {
    const lane = this.#lane(isFailing);
    lane.ring[lane.next] = value;
    lane.next = (lane.next + 1) % kept;
  }

  get all(): readonly T[] {
    return [...this.#failing.ring, ...this.#others.ring];
  }

  #lane(isFailing: boolean): Lane<T> {
    return isFailing ? this.#failing : this.#others;
  }
}
