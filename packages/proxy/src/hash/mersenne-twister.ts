const size = 624;
const shift = 397;

/**
 * MT19937, the generator whose sequence Envoy draws alternatives from when an
 * endpoint chosen by hash is overloaded. Not for anything that must be secret.
 */
export class MersenneTwister {
  readonly #state = new Uint32Array(size);
  #at = size;

  constructor(seed: number) {
    const state = this.#state;
    state[0] = seed;
    for (let i = 1; i < size; i++) {
      const previous = state[i - 1]! ^ (state[i - 1]! >>> 30);
      state[i] = Math.imul(1_812_433_253, previous) + i;
    }
  }

  /** Uniform in [0, 2^32). */
  next(): number {
    if (this.#at === size) this.#refill();
    let bits = this.#state[this.#at++]!;
    bits ^= bits >>> 11;
    bits ^= (bits << 7) & 0x9d2c5680;
    bits ^= (bits << 15) & 0xefc60000;
    return (bits ^ (bits >>> 18)) >>> 0;
  }

  #refill(): void {
    const state = this.#state;
    for (let i = 0; i < size; i++) {
      const bits = (state[i]! & 0x80000000) | (state[(i + 1) % size]! & 0x7fffffff);
      state[i] = state[(i + shift) % size]! ^ (bits >>> 1) ^ ((bits & 1) === 0 ? 0 : 0x9908b0df);
    }
    this.#at = 0;
  }
}
