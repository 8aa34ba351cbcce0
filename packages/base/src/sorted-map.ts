/** A run of entries. Never written to: maps that differ elsewhere share it. */
interface Chunk<V> {
  readonly keys: readonly string[];
  readonly values: readonly V[];
}

/** Where the keys are, shared by all maps that have the same ones. */
interface Places {
  searches: number;
  /** Chunk and position in one number, once that has been looked for often enough to be worth it. */
  at: Map<string, number> | undefined;
}

/** A place is a chunk's number, and in the lower bits a position in it. */
const positionBits = 7;
const maxChunk = 1 << positionBits;
const minChunk = 32;
const absent = -1;

/**
 * An immutable map in order of its keys, by code unit. A map made of another by
 * a few changes costs those changes, not its size, and shares the rest; what
 * differs between two such maps is found at the same price.
 */
export class SortedMap<V> implements ReadonlyMap<string, V> {
  static readonly #empty = new SortedMap<never>([], 0, { searches: 0, at: undefined });

  readonly size: number;
  /** Not private, so that tests that compare maps structurally do not take all for equal. */
  protected readonly chunks: readonly Chunk<V>[];
  readonly #places: Places;

  private constructor(chunks: readonly Chunk<V>[], size: number, places: Places) {
    this.chunks = chunks;
    this.size = size;
    this.#places = places;
  }

  /** Of these entries; the last of a key counts. */
  static from<V>(entries: Iterable<readonly [string, V]>): SortedMap<V> {
    return (SortedMap.#empty as SortedMap<V>).with(entries);
  }

  /** Of these entries; shares with another map what they have in common. */
  static like<V>(before: SortedMap<V> | undefined, entries: ReadonlyMap<string, V>): SortedMap<V> {
    if (!before) return SortedMap.from(entries);
    return before.with(
      entries,
      before.keys().filter((key) => !entries.has(key)),
    );
  }

  /** This map with these entries set, and then without those of `removed`; this very map where that changes nothing. */
  with(entries: Iterable<readonly [string, V]>, removed: Iterable<string> = []): SortedMap<V> {
    const changes = new Map<string, { readonly value: V } | undefined>();
    for (const [key, value] of entries) {
      if (this.get(key) === value && (value !== undefined || this.has(key))) changes.delete(key);
      else changes.set(key, { value });
    }
    for (const key of removed) {
      if (this.has(key)) changes.set(key, undefined);
      else changes.delete(key);
    }
    if (changes.size === 0) return this;
    const sorted = [...changes].sort(([a], [b]) => (a < b ? -1 : 1));
    const chunks: Chunk<V>[] = [];
    let hasMoved = false;
    let next = 0;
    for (let i = 0; i < Math.max(this.chunks.length, 1); i += 1) {
      const chunk = this.chunks[i] ?? { keys: [], values: [] };
      const end = this.chunks[i + 1]?.keys[0];
      const first = next;
      while (next < sorted.length && (end === undefined || sorted[next]![0] < end)) next += 1;
      if (first === next) {
        chunks.push(chunk);
        continue;
      }
      const changed = changedChunk(chunk, sorted, first, next);
      if (changed.keys === chunk.keys) chunks.push(changed);
      else {
        hasMoved = true;
        pushSplit(chunks, changed);
      }
    }
    if (!hasMoved) return new SortedMap(chunks, this.size, this.#places);
    const merged = withoutSmall(chunks);
    const size = merged.reduce((sum, { keys }) => sum + keys.length, 0);
    return new SortedMap(merged, size, { searches: 0, at: undefined });
  }

  get(key: string): V | undefined {
    const place = this.#find(key);
    if (place === absent) return undefined;
    return this.chunks[place >> positionBits]!.values[place & (maxChunk - 1)];
  }

  has(key: string): boolean {
    return this.#find(key) !== absent;
  }

  forEach(visit: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const { keys, values } of this.chunks) {
      for (let i = 0; i < keys.length; i += 1) visit(values[i]!, keys[i]!, this);
    }
  }

  *entries(): MapIterator<[string, V]> {
    for (const { keys, values } of this.chunks) {
      for (let i = 0; i < keys.length; i += 1) yield [keys[i]!, values[i]!];
    }
  }

  *keys(): MapIterator<string> {
    for (const { keys } of this.chunks) yield* keys;
  }

  *values(): MapIterator<V> {
    for (const { values } of this.chunks) yield* values;
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }

  toJSON(): Record<string, V> {
    return Object.fromEntries(this);
  }

  /** Keys that one of the two has and the other has not, or not with the very same value; in order. */
  static differing<V>(a: SortedMap<V>, b: SortedMap<V>): string[] {
    if (a === b) return [];
    const shared = new Set(a.chunks);
    const left = entriesOf(a.chunks.filter(notIn(new Set(b.chunks))));
    const right = entriesOf(b.chunks.filter(notIn(shared)));
    const keys: string[] = [];
    let i = 0;
    let j = 0;
    while (i < left.length || j < right.length) {
      const [l, r] = [left[i], right[j]];
      if (r === undefined || (l !== undefined && l[0] < r[0])) {
        keys.push(l![0]);
        i += 1;
      } else if (l === undefined || r[0] < l[0]) {
        keys.push(r[0]);
        j += 1;
      } else {
        if (l[1] !== r[1]) keys.push(l[0]);
        i += 1;
        j += 1;
      }
    }
    return keys;
  }

  #find(key: string): number {
    const places = this.#places;
    if (!places.at) {
      places.searches += 1;
      if (places.searches <= this.size) return this.#search(key);
      places.at = new Map();
      for (const [i, { keys }] of this.chunks.entries()) {
        for (let j = 0; j < keys.length; j += 1) places.at.set(keys[j]!, (i << positionBits) | j);
      }
    }
    return places.at.get(key) ?? absent;
  }

  #search(key: string): number {
    let low = 0;
    let high = this.chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.chunks[middle]!.keys[0]! <= key) low = middle + 1;
      else high = middle;
    }
    const chunk = this.chunks[low - 1];
    if (!chunk) return absent;
    const at = positionIn(chunk.keys, key);
    return chunk.keys[at] === key ? ((low - 1) << positionBits) | at : absent;
  }
}

/** Where a key is in a sorted list, or would be. */
function positionIn(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

type Change<V> = readonly [string, { readonly value: V } | undefined];

/** With the changes from `first` up to `end`; keeps its list of keys where that stays the same. */
function changedChunk<V>(
  chunk: Chunk<V>,
  changes: readonly Change<V>[],
  first: number,
  end: number,
): Chunk<V> {
  const values = withValues(chunk, changes, first, end);
  return values ? { keys: chunk.keys, values } : withEntries(chunk, changes, first, end);
}

/** The values after these changes; undefined where the keys change too. */
function withValues<V>(
  chunk: Chunk<V>,
  changes: readonly Change<V>[],
  first: number,
  end: number,
): readonly V[] | undefined {
  const values = [...chunk.values];
  for (let i = first; i < end; i += 1) {
    const [key, change] = changes[i]!;
    const at = positionIn(chunk.keys, key);
    if (!change || chunk.keys[at] !== key) return undefined;
    values[at] = change.value;
  }
  return values;
}

function withEntries<V>(
  chunk: Chunk<V>,
  changes: readonly Change<V>[],
  first: number,
  end: number,
): Chunk<V> {
  const keys: string[] = [];
  const values: V[] = [];
  let at = 0;
  const keepUntil = (key: string | undefined) => {
    for (; at < chunk.keys.length && (key === undefined || chunk.keys[at]! < key); at += 1) {
      keys.push(chunk.keys[at]!);
      values.push(chunk.values[at]!);
    }
  };
  for (let i = first; i < end; i += 1) {
    const [key, change] = changes[i]!;
    keepUntil(key);
    if (chunk.keys[at] === key) at += 1;
    if (!change) continue;
    keys.push(key);
    values.push(change.value);
  }
  keepUntil(undefined);
  return { keys, values };
}

/** In halves where it has become too large, so that the next entries find room. */
function pushSplit<V>(chunks: Chunk<V>[], { keys, values }: Chunk<V>): void {
  const size = keys.length <= maxChunk ? maxChunk : maxChunk / 2;
  for (let at = 0; at < keys.length; at += size) {
    chunks.push({ keys: keys.slice(at, at + size), values: values.slice(at, at + size) });
  }
}

/** Joins chunks that have become small with the one before. */
function withoutSmall<V>(chunks: readonly Chunk<V>[]): Chunk<V>[] {
  const kept: Chunk<V>[] = [];
  for (const chunk of chunks) {
    const last = kept.at(-1);
    const isSmall = last && Math.min(last.keys.length, chunk.keys.length) < minChunk;
    if (!isSmall || last.keys.length + chunk.keys.length > maxChunk) kept.push(chunk);
    else {
      const joined = { keys: [...last.keys, ...chunk.keys], values: [...last.values, ...chunk.values] };
      kept[kept.length - 1] = joined;
    }
  }
  return kept;
}

function entriesOf<V>(chunks: readonly Chunk<V>[]): (readonly [string, V])[] {
  return chunks.flatMap(({ keys, values }) => keys.map((key, i) => [key, values[i]!] as const));
}

function notIn<T>(set: ReadonlySet<T>): (item: T) => boolean {
  return (item) => !set.has(item);
}
