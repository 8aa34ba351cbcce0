/**
 * The header fields of one message: a flat list of name, value, name, value …
 * in wire order, names in lower case.
 *
 * Flat, because most messages are read once, edited in one or two places and
 * written out again: a map would cost more than the few linear searches it saves.
 */
export class HeaderList {
  /** Names at even positions, values at odd ones. Codecs fill and read it directly. */
  readonly flat: string[];

  constructor(flat: string[] = []) {
    this.flat = flat;
  }

  /** The first value of `name` (lower case), or undefined. */
  get(name: string): string | undefined {
    const flat = this.flat;
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return flat[i + 1];
    return undefined;
  }

  has(name: string): boolean {
    const flat = this.flat;
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return true;
    return false;
  }

  /** All values of `name` joined by `,` as RFC 9110 §5.2 allows, or undefined. */
  getAll(name: string): string | undefined {
    const flat = this.flat;
    let joined: string | undefined;
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] === name) joined = joined === undefined ? flat[i + 1] : `${joined},${flat[i + 1]}`;
    }
    return joined;
  }

  append(name: string, value: string): void {
    this.flat.push(name, value);
  }

  /** Replaces every field called `name` by one with `value`, at the place of the first. */
  set(name: string, value: string): void {
    const flat = this.flat;
    for (let i = 0; i < flat.length; i += 2) {
      if (flat[i] === name) {
        flat[i + 1] = value;
        this.#removeFrom(name, i + 2);
        return;
      }
    }
    flat.push(name, value);
  }

  remove(name: string): void {
    this.#removeFrom(name, 0);
  }

  removeWhere(isUnwanted: (name: string) => boolean): void {
    const flat = this.flat;
    let kept = 0;
    for (let i = 0; i < flat.length; i += 2) {
      if (isUnwanted(flat[i]!)) continue;
      if (kept !== i) {
        flat[kept] = flat[i]!;
        flat[kept + 1] = flat[i + 1]!;
      }
      kept += 2;
    }
    shorten(flat, kept);
  }

  copy(): HeaderList {
    return new HeaderList(this.flat.slice());
  }

  #removeFrom(name: string, start: number): void {
    const flat = this.flat;
    let kept = start;
    for (let i = start; i < flat.length; i += 2) {
      if (flat[i] === name) continue;
      if (kept !== i) {
        flat[kept] = flat[i]!;
        flat[kept + 1] = flat[i + 1]!;
      }
      kept += 2;
    }
    shorten(flat, kept);
  }
}

/** For a field or two this is faster than setting the length. */
function shorten(flat: string[], length: number): void {
  while (flat.length > length) flat.pop();
}
