import { messageOf } from "@weft/base/errors";

/** What was begun and must be ended, in the opposite order, whatever happens in between. */
export class CleanupStack {
  readonly #steps: { readonly what: string; readonly run: () => void | Promise<void> }[] = [];

  /** @param what for the message when it fails */
  add(what: string, run: () => void | Promise<void>): void {
    this.#steps.push({ what, run });
  }

  /** Runs every step, last added first; one that fails is told of and does not stop the others. Idempotent. */
  async run(talk: (line: string) => void): Promise<void> {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step.run();
      } catch (thrown) {
        talk(`while ending: ${step.what}: ${messageOf(thrown)}`);
      }
    }
  }
}
