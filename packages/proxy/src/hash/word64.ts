/**
 * Arithmetic on 64-bit words in two int32 halves. The result of the last
 * operation stays in `word`: nothing is allocated between a hash's steps.
 */
export const word = { hi: 0, lo: 0 };

/** The lower 64 bits of a product. */
export function multiply(aHi: number, aLo: number, bHi: number, bLo: number): void {
  const a0 = aLo & 0xffff;
  const a1 = aLo >>> 16;
  const b0 = bLo & 0xffff;
  const b1 = bLo >>> 16;
  // Each sum stays below 2^32.
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const carry = a1 * b1 + (middle >>> 16) + ((a0 * b1 + (middle & 0xffff)) >>> 16);
  word.hi = (carry + Math.imul(aHi, bLo) + Math.imul(aLo, bHi)) | 0;
  word.lo = Math.imul(aLo, bLo);
}

export function add(aHi: number, aLo: number, bHi: number, bLo: number): void {
  const lo = (aLo >>> 0) + (bLo >>> 0);
  word.hi = (aHi + bHi + (lo >= 2 ** 32 ? 1 : 0)) | 0;
  word.lo = lo | 0;
}

/** To the left by 1 to 31 bits. */
export function rotate(hi: number, lo: number, bits: number): void {
  word.hi = (hi << bits) | (lo >>> (32 - bits));
  word.lo = (lo << bits) | (hi >>> (32 - bits));
}

/** Four bytes of a text that holds one byte in each unit, little-endian. */
export function read32(text: string, at: number): number {
  return (
    (text.charCodeAt(at) & 0xff) |
    ((text.charCodeAt(at + 1) & 0xff) << 8) |
    ((text.charCodeAt(at + 2) & 0xff) << 16) |
    (text.charCodeAt(at + 3) << 24)
  );
}
