/** Where the redirects of one request have led, over all the exchanges that they became. */
export class RedirectTrail {
  /** Redirects that were followed. */
  count = 0;
  readonly #taken = new Set<string>();

  /** Notes that one route redirects to another; false when it did before. */
  take(from: string, to: string): boolean {
    const key = JSON.stringify([from, to]);
    if (this.#taken.has(key)) return false;
    this.#taken.add(key);
    return true;
  }
}
