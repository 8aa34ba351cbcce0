/** Who waits for the budget. */
export interface Spender {
  /** There may be room again. */
  onBudget(): void;
}

/** Responses smaller than this are not held back: they are what changes are made of. */
export const smallResponseBytes = 64 << 10;

/**
 * Bounds how many bytes of large responses wait for their answers, over all
 * clients: when thousands connect at once each gets its first configuration in
 * its turn, first come first served, and memory does not grow with their number.
 */
export class SendBudget {
  readonly #maxBytes: number;
  readonly #waiting = new Set<Spender>();
  #spent = 0;
  #isWaking = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** False when the spender has to wait; it is told once it need not. */
  hasRoom(spender: Spender): boolean {
    const isItsTurn = this.#waiting.size === 0 || this.#isWaking;
    if (this.#spent < this.#maxBytes && isItsTurn) return true;
    this.#waiting.add(spender);
    return false;
  }

  spend(bytes: number): void {
    this.#spent += bytes;
  }

  release(bytes: number): void {
    this.#spent -= bytes;
    this.#wake();
  }

  /** The spender is gone, or has nothing to say any more. */
  forget(spender: Spender): void {
    this.#waiting.delete(spender);
  }

  #wake(): void {
    if (this.#isWaking) return;
    this.#isWaking = true;
    for (const spender of this.#waiting) {
      if (this.#spent >= this.#maxBytes) break;
      this.#waiting.delete(spender);
      spender.onBudget();
    }
    this.#isWaking = false;
  }
}
