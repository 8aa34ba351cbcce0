import { didYouMean } from "../config/suggest.ts";

/** The hostnames of a mesh's services: what somebody who writes one that is not there may have meant. */
export class NameList {
  readonly #names: ReadonlySet<string>;
  readonly #hints = new Map<string, string | undefined>();

  constructor(names: Iterable<string>) {
    this.#names = new Set(names);
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** Looked for once for each name: thousands are compared. */
  like(name: string): string | undefined {
    if (!this.#hints.has(name)) this.#hints.set(name, didYouMean(name, this.#names));
    return this.#hints.get(name);
  }

  isOf(names: ReadonlyMap<string, unknown>): boolean {
    if (names.size !== this.#names.size) return false;
    for (const name of names.keys()) if (!this.#names.has(name)) return false;
    return true;
  }
}

const lists = new WeakMap<ReadonlyMap<string, unknown>, NameList>();
let latest: NameList | undefined;

/** The very same list for services of the same names, whatever else of them has changed. */
export function nameListOf(services: ReadonlyMap<string, unknown>): NameList {
  let list = lists.get(services);
  if (!list) {
    list = latest?.isOf(services) ? latest : new NameList(services.keys());
    lists.set(services, list);
    latest = list;
  }
  return list;
}
