import type { SidecarPart } from "../translate/part.ts";
import type { EncodedResource } from "./encode.ts";

export type Encoded = readonly EncodedResource[];

/** Results by the objects they were made from; forgotten with the first of those that is. */
export class PartCache {
  #next = new WeakMap<object, PartCache>();
  readonly #results = new Map<string, Encoded>();

  get(part: SidecarPart, make: () => Encoded): Encoded {
    let node: PartCache = this;
    for (const object of part.from) {
      let next = node.#next.get(object);
      if (!next) {
        next = new PartCache();
        node.#next.set(object, next);
      }
      node = next;
    }
    const key = `${part.id}\0${part.variant}`;
    let result = node.#results.get(key);
    if (!result) {
      result = make();
      node.#results.set(key, result);
    }
    return result;
  }
}
