/** What may wait for a reader. */
const maxWaiting = 1_000;

/** Values that wait for whoever iterates, up to a bound: what comes then is not taken. */
export class LineQueue<T> {
  readonly #waiting: T[] = [];
  #wake = () => {};

  /** False: it was not taken. */
  add(value: T): boolean {
    if (this.#waiting.length >= maxWaiting) return false;
    this.#waiting.push(value);
    this.#wake();
    return true;
  }

  /** Every value in order, until the signal aborts. */
  async *read(signal: AbortSignal): AsyncGenerator<T, void, undefined> {
    const onAbort = () => this.#wake();
    signal.addEventListener("abort", onAbort);
    try {
      while (!signal.aborted) {
        const values = this.#waiting.splice(0);
        for (const value of values) yield value;
        if (values.length > 0 || this.#waiting.length > 0) continue;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          if (signal.aborted) resolve();
        });
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}
