const capacity = 1_000;

/** The last durations from a change to its last acknowledgement, exact rather than in buckets. */
export class ConvergenceLog {
  readonly #elapsedMs: number[] = [];
  #count = 0;

  add(elapsedMs: number): void {
    this.#count += 1;
    this.#elapsedMs.push(elapsedMs);
    if (this.#elapsedMs.length > capacity) this.#elapsedMs.shift();
  }

  summary(): { readonly count: number; readonly p50Ms?: number; readonly p99Ms?: number } {
    const sorted = [...this.#elapsedMs].sort((a, b) => a - b);
    const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
    return { count: this.#count, p50Ms: at(0.5), p99Ms: at(0.99) };
  }
}
