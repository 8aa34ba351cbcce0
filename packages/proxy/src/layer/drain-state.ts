import type { Clock } from "@weft/base/clock";

/**
 * How connections leave while a listener drains: with their next answer, or
 * with a probability that grows from 0 to 1 over the drain time, so that not
 * all clients come back at once.
 */
export const drainStrategies = ["gradual", "immediate"] as const;
export type DrainStrategy = (typeof drainStrategies)[number];

/**
 * Whether connections of one listener end with the answer being sent. Read with
 * every answer: while there is no reason to drain that is one field.
 *
 * @see Envoy's `--drain-strategy`, `--drain-time-s` and `/healthcheck/fail`
 */
export class DrainState {
  /** Whether there is any reason to leave. */
  isActive = false;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #strategy: DrainStrategy;
  #isUnhealthy = false;
  #period: { readonly startMs: number; readonly durationMs: number } | undefined;

  /** @param random uniform in [0, 1) */
  constructor(clock: Clock, random: () => number, strategy: DrainStrategy) {
    this.#clock = clock;
    this.#random = random;
    this.#strategy = strategy;
  }

  /** The proxy is told to fail health checks, or to pass them again: until then every answer is a connection's last. */
  setUnhealthy(isUnhealthy: boolean): void {
    this.#isUnhealthy = isUnhealthy;
    this.isActive = isUnhealthy || this.#period !== undefined;
  }

  /** Everybody has left by `startMs + durationMs`, of the monotonic clock. What ends sooner stays in force. */
  begin(startMs: number, durationMs: number): void {
    const before = this.#period;
    if (before && before.startMs + before.durationMs <= startMs + durationMs) return;
    this.#period = { startMs, durationMs };
    this.isActive = true;
  }

  /** Whether the connection whose answer is sent now should end with it. */
  endsConnection(): boolean {
    if (!this.isActive) return false;
    const period = this.#period;
    if (this.#isUnhealthy || !period || this.#strategy === "immediate") return true;
    return this.#clock.monotonicMs() - period.startMs >= this.#random() * period.durationMs;
  }
}
