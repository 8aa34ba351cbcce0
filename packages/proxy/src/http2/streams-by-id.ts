/** Slots to begin with: more streams than most connections ever have open at once. */
const initialSlots = 32;

/**
 * The open streams of a connection by their identifiers: a hash table with open addressing.
 *
 * A `Map` would do, but for what a steady come and go does to it: it moves to a
 * new table every few dozen streams and links each old table to the next, for
 * iterators that may still be under way. Once the collector has moved one of
 * them to the old generation, that dead table keeps the next one and all its
 * streams alive through every minor collection, and so on without an end: each
 * request is promoted, at twice the CPU and twice the memory. Here a slot that is
 * free holds nothing, and no table knows another.
 */
export class StreamsById<S extends { readonly id: number }> {
  #slots: (S | undefined)[] = new Array(initialSlots).fill(undefined);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): S | undefined {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let at = home(id) & mask; ; at = (at + 1) & mask) {
      const stream = slots[at];
      if (stream === undefined || stream.id === id) return stream;
    }
  }

  /** Its identifier must not be among those here. */
  add(stream: S): void {
    // Never more than half full: what is looked for is next to where it belongs.
    if (++this.#size * 2 > this.#slots.length) this.#grow();
    place(this.#slots, stream);
  }

  delete(id: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let gap = home(id) & mask;
    for (; slots[gap]?.id !== id; gap = (gap + 1) & mask) if (slots[gap] === undefined) return;
    // Those behind it that were pushed away from their place move up.
    for (let at = (gap + 1) & mask; ; at = (at + 1) & mask) {
      const stream = slots[at];
      if (stream === undefined) break;
      const distance = (at - home(stream.id)) & mask;
      if (distance < ((at - gap) & mask)) continue;
      slots[gap] = stream;
      gap = at;
    }
    slots[gap] = undefined;
    this.#size--;
  }

  /**
   * The streams of this moment, or those of them that are wanted: the oldest first,
   * whatever becomes of them while the list is gone through.
   */
  list(isWanted?: (stream: S) => boolean): S[] {
    if (this.#size === 0) return [];
    const all: S[] = [];
    for (const stream of this.#slots) if (stream && (isWanted?.(stream) ?? true)) all.push(stream);
    return all.sort((one, other) => one.id - other.id);
  }

  #grow(): void {
    const slots: (S | undefined)[] = new Array(this.#slots.length * 2).fill(undefined);
    for (const stream of this.#slots) if (stream) place(slots, stream);
    this.#slots = slots;
  }
}

/** Identifiers of one side are all odd or all even, and follow one another. */
function home(id: number): number {
  return id >>> 1;
}

function place<S extends { readonly id: number }>(slots: (S | undefined)[], stream: S): void {
  const mask = slots.length - 1;
  let at = home(stream.id) & mask;
  while (slots[at] !== undefined) at = (at + 1) & mask;
  slots[at] = stream;
}
