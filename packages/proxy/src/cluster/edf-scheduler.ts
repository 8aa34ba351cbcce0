/**
 * Weighted, smooth round robin: each item is chosen in proportion to its weight
 * and as evenly spread as possible (earliest deadline first, as in Envoy).
 *
 * Choosing is O(log n) on typed arrays and allocates nothing.
 */
export class EdfScheduler {
  readonly #heap: Int32Array;
  readonly #deadlines: Float64Array;
  readonly #orders: Float64Array;
  #order: number;

  /** Item i starts with weight `weights[i]`, which is above 0. */
  constructor(weights: readonly number[]) {
    const size = weights.length;
    this.#heap = Int32Array.from(weights, (_, i) => i);
    this.#deadlines = Float64Array.from(weights, (weight) => 1 / weight);
    this.#orders = Float64Array.from(weights, (_, i) => i);
    this.#order = size;
    for (let i = (size >>> 1) - 1; i >= 0; i--) this.#siftDown(i);
  }

  /** The item whose turn it is. `postpone` must follow before the next call. */
  peek(): number {
    return this.#heap[0]!;
  }

  /** Puts the item just chosen back with its present weight. */
  postpone(weight: number): void {
    const item = this.#heap[0]!;
    this.#deadlines[item]! += 1 / weight;
    this.#orders[item] = this.#order++;
    this.#siftDown(0);
  }

  #isBefore(a: number, b: number): boolean {
    const difference = this.#deadlines[a]! - this.#deadlines[b]!;
    return difference < 0 || (difference === 0 && this.#orders[a]! < this.#orders[b]!);
  }

  #siftDown(start: number): void {
    const heap = this.#heap;
    let at = start;
    const item = heap[at]!;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.#isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!this.#isBefore(heap[child]!, item)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = item;
  }
}
