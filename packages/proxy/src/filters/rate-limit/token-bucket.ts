/** @see envoy.type.v3.TokenBucket */
export interface TokenBucketPlan {
  readonly maxTokens: number;
  readonly tokensPerFill: number;
  readonly fillIntervalMs: number;
}

/** Tokens that come back evenly with time; full at first. */
export class TokenBucket {
  readonly plan: TokenBucketPlan;
  #tokens: number;
  #countedMs: number;

  constructor(plan: TokenBucketPlan, nowMs: number) {
    this.plan = plan;
    this.#tokens = plan.maxTokens;
    this.#countedMs = nowMs;
  }

  /** Takes one token; false, and nothing taken, when there is none. */
  take(nowMs: number): boolean {
    this.#refill(nowMs);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Whole tokens left. */
  remaining(nowMs: number): number {
    this.#refill(nowMs);
    return Math.floor(this.#tokens);
  }

  /** Seconds until the next token is there; 0 while there is one. */
  resetS(nowMs: number): number {
    this.#refill(nowMs);
    if (this.#tokens >= 1) return 0;
    const { tokensPerFill, fillIntervalMs } = this.plan;
    return Math.ceil(((1 - this.#tokens) * fillIntervalMs) / tokensPerFill / 1000);
  }

  #refill(nowMs: number): void {
    const { maxTokens, tokensPerFill, fillIntervalMs } = this.plan;
    const gained = ((nowMs - this.#countedMs) * tokensPerFill) / fillIntervalMs;
    this.#tokens = Math.min(maxTokens, this.#tokens + gained);
    this.#countedMs = nowMs;
  }
}
