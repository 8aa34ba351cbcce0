/** What something is made from, and what else decides what it becomes. */
interface MadeFrom {
  readonly from: readonly object[];
  readonly variant: string;
}

/** Results by the objects they were made from; forgotten with the first of those that is. */
export class PartCache<T> {
  #next = new WeakMap<object, PartCache<T>>();
  readonly #results = new Map<string, T>();

  /** @param kind of what is made: of the same objects there may be several */
  get({ from, variant }: MadeFrom, kind: string, make: () => T): T {
    let node: PartCache<T> = this;
    for (const object of from) {
      let next = node.#next.get(object);
      if (!next) {
        next = new PartCache();
        node.#next.set(object, next);
      }
      node = next;
    }
    const key = `${kind}\0${variant}`;
    let result = node.#results.get(key);
    if (result === undefined) {
      result = make();
      node.#results.set(key, result);
    }
    return result;
  }
}
