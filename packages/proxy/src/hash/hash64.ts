/** An unsigned 64-bit hash in two halves, each an int32 whose bits count: no BigInt on the request path. */
export interface Hash64 {
  readonly hi: number;
  readonly lo: number;
}

/** The remainder of a hash; `divisor` is a whole number from 1 to 2^26, so that no step leaves the exact range. */
export function remainder(hash: Hash64, divisor: number): number {
  return (((hash.hi >>> 0) % divisor) * (2 ** 32 % divisor) + (hash.lo >>> 0)) % divisor;
}

/** As 64-bit numbers compare: below 0, 0 or above 0. */
export function compareHashes(aHi: number, aLo: number, bHi: number, bLo: number): number {
  return (aHi >>> 0) - (bHi >>> 0) || (aLo >>> 0) - (bLo >>> 0);
}

/** 16 hexadecimal digits, as Envoy writes a hash into a cookie. */
export function formatHash(hash: Hash64): string {
  const hex = (half: number) => (half >>> 0).toString(16).padStart(8, "0");
  return hex(hash.hi) + hex(hash.lo);
}

/** `earlier` rotated by one bit and combined with `later`, so that equal hashes do not cancel out. */
export function combineHashes(earlier: Hash64, later: Hash64): Hash64 {
  return {
    hi: ((earlier.hi << 1) | (earlier.lo >>> 31)) ^ later.hi,
    lo: ((earlier.lo << 1) | (earlier.hi >>> 31)) ^ later.lo,
  };
}

/** A hash for a request that nothing is hashed of. `random` is uniform in [0, 1). */
export function randomHash(random: () => number): Hash64 {
  return { hi: (random() * 2 ** 32) | 0, lo: (random() * 2 ** 32) | 0 };
}
