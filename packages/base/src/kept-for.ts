import { isSameList } from "./same-list.ts";

/**
 * Keeps what was made for a thing as long as all else that it was made from is
 * the very same. For thousands of things each of which becomes something with
 * the help of a few others: when one changes, what hangs on it is made again and
 * nothing else, and nobody has to say what hangs on what.
 */
export class KeptFor<K extends object, R> {
  readonly #made = new WeakMap<K, { readonly from: readonly unknown[]; readonly result: R }>();

  /** @param from all that `make` looks at beside the thing itself: immutable things, or plain values */
  get(thing: K, from: readonly unknown[], make: () => R): R {
    const last = this.#made.get(thing);
    if (last && isSameList(last.from, from)) return last.result;
    const result = make();
    this.#made.set(thing, { from, result });
    return result;
  }
}
