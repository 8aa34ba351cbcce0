import type { HostKey } from "./route-assembly.ts";

/** The keys of a route configuration's hosts: those that were there before wherever they are equal. */
export class HostKeys {
  readonly all: HostKey[] = [];
  readonly #before: readonly HostKey[];

  constructor(before: readonly HostKey[] = []) {
    this.#before = before;
  }

  add(from: HostKey["from"], says: HostKey["says"]): void {
    const before = this.#before[this.all.length];
    const isAsBefore = before && isSame(before.from, from) && isSame(before.says, says);
    this.all.push(isAsBefore ? before : { from, says });
  }
}

function isSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}
