import type { UpstreamAttempt } from "./upstream-attempt.ts";

/**
 * Attempts that took longer than a try may and go on beside a later one, whose
 * answer counts if it comes first. There is at most one for each retry.
 *
 * @see envoy.config.route.v3.HedgePolicy, `hedge_on_per_try_timeout`
 */
export class SlowAttempts {
  readonly #attempts: UpstreamAttempt[] = [];

  add(attempt: UpstreamAttempt): void {
    this.#attempts.push(attempt);
  }

  has(attempt: UpstreamAttempt): boolean {
    return this.#attempts.includes(attempt);
  }

  /** Whether any other than `attempt` is under way. */
  hasOther(attempt: UpstreamAttempt | undefined): boolean {
    return this.#attempts.some((other) => other !== attempt);
  }

  remove(attempt: UpstreamAttempt): void {
    const at = this.#attempts.indexOf(attempt);
    if (at >= 0) this.#attempts.splice(at, 1);
  }

  /** Gives all up, or all but the one that answers. */
  abandon(chosen: UpstreamAttempt | undefined): void {
    for (const attempt of this.#attempts) if (attempt !== chosen) attempt.abandon();
    this.#attempts.length = 0;
  }
}
