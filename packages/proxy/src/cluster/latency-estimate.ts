import type { PeakEwmaPlan } from "./balancer-plan.ts";

/**
 * How long an endpoint takes to answer: at once as long as the slowest answer
 * seen, then decaying towards what is seen now.
 */
export class LatencyEstimate {
  readonly #decayMs: number;
  #estimateMs: number;
  #atMs: number;

  constructor({ decayMs, defaultRttMs }: PeakEwmaPlan, nowMs: number) {
    this.#decayMs = decayMs;
    this.#estimateMs = defaultRttMs;
    this.#atMs = nowMs;
  }

  observe(latencyMs: number, nowMs: number): void {
    if (latencyMs > this.#estimateMs) this.#estimateMs = latencyMs;
    else {
      const kept = Math.exp(-(nowMs - this.#atMs) / this.#decayMs);
      this.#estimateMs = latencyMs + (this.#estimateMs - latencyMs) * kept;
    }
    this.#atMs = nowMs;
  }

  /** What is expected now: an endpoint nobody asks becomes attractive again. */
  read(nowMs: number): number {
    return this.#estimateMs * Math.exp(-(nowMs - this.#atMs) / this.#decayMs);
  }
}
