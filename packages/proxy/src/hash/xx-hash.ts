import type { Hash64 } from "./hash64.ts";
import { add, multiply, read32, rotate, word } from "./word64.ts";

const p1Hi = 0x9e3779b1 | 0;
const p1Lo = 0x85ebca87 | 0;
const p2Hi = 0xc2b2ae3d | 0;
const p2Lo = 0x27d4eb4f | 0;
const p3Hi = 0x165667b1 | 0;
const p3Lo = 0x9e3779f9 | 0;
const p4Hi = 0x85ebca77 | 0;
const p4Lo = 0xc2b2ae63 | 0;
const p5Hi = 0x27d4eb2f | 0;
const p5Lo = 0x165667c5 | 0;

const zero: Hash64 = { hi: 0, lo: 0 };

/**
 * xxHash64 of a text that holds one byte in each unit (as heads are read), the
 * hash Envoy takes of request keys and, unless told otherwise, of endpoints.
 */
export function xxHash64(text: string, seed: Hash64 = zero): Hash64 {
  const { length } = text;
  let at = 0;
  if (length >= 32) at = hashStripes(text, seed);
  else add(seed.hi, seed.lo, p5Hi, p5Lo);
  add(word.hi, word.lo, 0, length);
  for (; at + 8 <= length; at += 8) {
    const { hi, lo } = word;
    scramble(0, 0, read32(text, at + 4), read32(text, at));
    rotate(hi ^ word.hi, lo ^ word.lo, 27);
    multiply(word.hi, word.lo, p1Hi, p1Lo);
    add(word.hi, word.lo, p4Hi, p4Lo);
  }
  if (at + 4 <= length) {
    const { hi, lo } = word;
    multiply(0, read32(text, at), p1Hi, p1Lo);
    rotate(hi ^ word.hi, lo ^ word.lo, 23);
    multiply(word.hi, word.lo, p2Hi, p2Lo);
    add(word.hi, word.lo, p3Hi, p3Lo);
    at += 4;
  }
  for (; at < length; at++) {
    const { hi, lo } = word;
    multiply(0, text.charCodeAt(at) & 0xff, p5Hi, p5Lo);
    rotate(hi ^ word.hi, lo ^ word.lo, 11);
    multiply(word.hi, word.lo, p1Hi, p1Lo);
  }
  multiply(word.hi, word.lo ^ (word.hi >>> 1), p2Hi, p2Lo);
  multiply(word.hi ^ (word.hi >>> 29), word.lo ^ ((word.lo >>> 29) | (word.hi << 3)), p3Hi, p3Lo);
  return { hi: word.hi, lo: word.lo ^ word.hi };
}

/** Mixes all whole 32-byte stripes into `word` and says where they end. */
function hashStripes(text: string, seed: Hash64): number {
  const last = text.length - 32;
  add(seed.hi, seed.lo, p1Hi, p1Lo);
  add(word.hi, word.lo, p2Hi, p2Lo);
  let { hi: aHi, lo: aLo } = word;
  add(seed.hi, seed.lo, p2Hi, p2Lo);
  let { hi: bHi, lo: bLo } = word;
  let { hi: cHi, lo: cLo } = seed;
  add(seed.hi, seed.lo, ~p1Hi, ~p1Lo);
  add(word.hi, word.lo, 0, 1);
  let { hi: dHi, lo: dLo } = word;
  let at = 0;
  for (; at <= last; at += 32) {
    scramble(aHi, aLo, read32(text, at + 4), read32(text, at));
    ({ hi: aHi, lo: aLo } = word);
    scramble(bHi, bLo, read32(text, at + 12), read32(text, at + 8));
    ({ hi: bHi, lo: bLo } = word);
    scramble(cHi, cLo, read32(text, at + 20), read32(text, at + 16));
    ({ hi: cHi, lo: cLo } = word);
    scramble(dHi, dLo, read32(text, at + 28), read32(text, at + 24));
    ({ hi: dHi, lo: dLo } = word);
  }
  rotate(aHi, aLo, 1);
  let { hi, lo } = word;
  rotate(bHi, bLo, 7);
  add(hi, lo, word.hi, word.lo);
  ({ hi, lo } = word);
  rotate(cHi, cLo, 12);
  add(hi, lo, word.hi, word.lo);
  ({ hi, lo } = word);
  rotate(dHi, dLo, 18);
  add(hi, lo, word.hi, word.lo);
  merge(aHi, aLo);
  merge(bHi, bLo);
  merge(cHi, cLo);
  merge(dHi, dLo);
  return at;
}

/** One step of an accumulator with eight bytes of input. */
function scramble(hi: number, lo: number, inputHi: number, inputLo: number): void {
  multiply(inputHi, inputLo, p2Hi, p2Lo);
  add(hi, lo, word.hi, word.lo);
  rotate(word.hi, word.lo, 31);
  multiply(word.hi, word.lo, p1Hi, p1Lo);
}

/** Folds an accumulator into `word`. */
function merge(accumulatorHi: number, accumulatorLo: number): void {
  const { hi, lo } = word;
  scramble(0, 0, accumulatorHi, accumulatorLo);
  multiply(hi ^ word.hi, lo ^ word.lo, p1Hi, p1Lo);
  add(word.hi, word.lo, p4Hi, p4Lo);
}
