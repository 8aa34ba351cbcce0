import type { Fields } from "./filter-module.ts";

/** Fields over a flat list: name, value, … */
export class FlatFields implements Fields {
  readonly #flat: readonly string[];

  constructor(flat: readonly string[]) {
    this.#flat = flat;
  }

  get(name: string): string | undefined {
    const values = this.getAll(name);
    return values.length === 0 ? undefined : values.join(", ");
  }

  getAll(name: string): readonly string[] {
    const wanted = name.toLowerCase();
    const values: string[] = [];
    for (const [own, value] of this) if (own === wanted) values.push(value);
    return values;
  }

  has(name: string): boolean {
    return this.getAll(name).length > 0;
  }

  *[Symbol.iterator](): Generator<readonly [name: string, value: string]> {
    for (let i = 0; i < this.#flat.length; i += 2) yield [this.#flat[i]!, this.#flat[i + 1]!];
  }
}
