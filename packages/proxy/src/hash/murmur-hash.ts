import type { Hash64 } from "./hash64.ts";
import { multiply, read32, word } from "./word64.ts";

const mHi = 0xc6a4a793 | 0;
const mLo = 0x5bd1e995 | 0;
const seedLo = 0xc70f6907 | 0;

/**
 * MurmurHash2 (64 bits) with the seed of libstdc++'s `std::hash`, of a text that
 * holds one byte in each unit: what `MURMUR_HASH_2` asks for in a ring.
 */
export function murmurHash64(text: string): Hash64 {
  const { length } = text;
  multiply(0, length, mHi, mLo);
  let hi = word.hi;
  let lo = seedLo ^ word.lo;
  let at = 0;
  for (; at + 8 <= length; at += 8) {
    multiply(read32(text, at + 4), read32(text, at), mHi, mLo);
    // The upper 17 bits onto the lower ones.
    multiply(word.hi, word.lo ^ (word.hi >>> 15), mHi, mLo);
    multiply(hi ^ word.hi, lo ^ word.lo, mHi, mLo);
    ({ hi, lo } = word);
  }
  if (at < length) {
    for (let i = length - 1; i >= at; i--) {
      const byte = text.charCodeAt(i) & 0xff;
      if (i - at >= 4) hi ^= byte << (8 * (i - at - 4));
      else lo ^= byte << (8 * (i - at));
    }
    multiply(hi, lo, mHi, mLo);
    ({ hi, lo } = word);
  }
  multiply(hi, lo ^ (hi >>> 15), mHi, mLo);
  return { hi: word.hi, lo: word.lo ^ (word.hi >>> 15) };
}
