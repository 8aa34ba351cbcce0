/**
 * Runs `push` at once when asked, and never twice at the same time: requests
 * that arrive during a push are answered together by one more push right after
 * it. A quiet mesh therefore waits for nothing, and a busy one does not pile up.
 */
export class PushLoop {
  readonly #push: () => Promise<void>;
  readonly #onError: (error: unknown) => void;
  #running: Promise<void> | undefined;
  #isRequested = false;

  constructor(push: () => Promise<void>, onError: (error: unknown) => void) {
    this.#push = push;
    this.#onError = onError;
  }

  request(): void {
    this.#isRequested = true;
    this.#running ??= this.#run();
  }

  /** Resolves when no push is running and none is asked for. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#isRequested) {
      this.#isRequested = false;
      try {
        await this.#push();
      } catch (error) {
        this.#onError(error);
      }
    }
    this.#running = undefined;
  }
}
