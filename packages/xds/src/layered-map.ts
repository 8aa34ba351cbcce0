/**
 * Two maps read as one: what many clients have in common, and what one of them
 * has besides. A client costs its own part, and a change of the common one is
 * found once for all. The keys of the two are disjoint.
 */
export class LayeredMap<V> implements ReadonlyMap<string, V> {
  readonly common: ReadonlyMap<string, V>;
  readonly own: ReadonlyMap<string, V>;

  constructor(common: ReadonlyMap<string, V>, own: ReadonlyMap<string, V>) {
    this.common = common;
    this.own = own;
  }

  get size(): number {
    return this.common.size + this.own.size;
  }

  get(key: string): V | undefined {
    return this.own.get(key) ?? this.common.get(key);
  }

  has(key: string): boolean {
    return this.own.has(key) || this.common.has(key);
  }

  forEach(visit: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    const each = (value: V, key: string) => visit(value, key, this);
    this.common.forEach(each);
    this.own.forEach(each);
  }

  *entries(): MapIterator<[string, V]> {
    yield* this.common;
    yield* this.own;
  }

  *keys(): MapIterator<string> {
    yield* this.common.keys();
    yield* this.own.keys();
  }

  *values(): MapIterator<V> {
    yield* this.common.values();
    yield* this.own.values();
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }
}
