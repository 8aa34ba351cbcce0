import { latin1 } from "../net/latin1.ts";

/** Code lengths of the 256 octets and EOS, one base-36 digit each; the code is canonical, so they say it all. */
const lengthDigits =
  "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad67777777777777777777777878djde6f56565666577666567655677777fbed" +
  "skmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmnqqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrqu";

const lengths = Array.from(lengthDigits, (digit) => Number.parseInt(digit, 36));
const endOfString = 256;

/** Code of each symbol in its low bits. */
const codes = new Uint32Array(257);
/** Tables of 256 entries, looked up byte by byte: `symbol << 8 | bits used`, or minus the number of the next table. */
const lookup = buildLookup();

let scratch = Buffer.allocUnsafeSlow(4096);

/** Bytes that `text` (code points below 256) takes when Huffman coded. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += lengths[text.charCodeAt(i) & 0xff]!;
  return (bits + 7) >>> 3;
}

/** Writes `text` Huffman coded at `at`; the position after it. */
export function writeHuffman(text: string, into: Buffer, at: number): number {
  let position = at;
  let pending = 0;
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 0xff;
    const code = codes[symbol]!;
    let left = lengths[symbol]!;
    // At most 7 bits are pending, so taking up to 16 at a time stays within 32.
    while (left > 0) {
      const take = left > 16 ? left - 16 : left;
      left -= take;
      pending = (pending << take) | ((code >>> left) & ((1 << take) - 1));
      bits += take;
      while (bits >= 8) {
        bits -= 8;
        into[position++] = pending >>> bits;
      }
      pending &= (1 << bits) - 1;
    }
  }
  if (bits > 0) into[position++] = (pending << (8 - bits)) | (0xff >> bits);
  return position;
}

/**
 * The text in `bytes[start, end)`, one UTF-16 unit per octet, or undefined where
 * it is not a Huffman string: EOS inside, or padding that is longer than 7 bits
 * or not all ones.
 */
export function readHuffman(bytes: Buffer, start: number, end: number): string | undefined {
  const room = ((end - start) * 8) / 5 + 1;
  if (scratch.length < room) scratch = Buffer.allocUnsafeSlow(Math.ceil(room));
  const out = scratch;
  let length = 0;
  let window = 0;
  let bits = 0;
  let table = 0;
  for (let i = start; i < end; i++) {
    window = ((window << 8) | bytes[i]!) & 0xffff;
    bits += 8;
    while (bits >= 8) {
      const entry = lookup[(table << 8) | ((window >>> (bits - 8)) & 0xff)]!;
      if (entry < 0) {
        table = -entry;
        bits -= 8;
        continue;
      }
      const symbol = entry >> 8;
      if (symbol === endOfString) return undefined;
      out[length++] = symbol;
      bits -= entry & 0xff;
      table = 0;
    }
  }
  while (bits > 0) {
    const entry = lookup[(table << 8) | ((window << (8 - bits)) & 0xff)]!;
    if (entry < 0 || (entry & 0xff) > bits) break;
    const symbol = entry >> 8;
    if (symbol === endOfString) return undefined;
    out[length++] = symbol;
    bits -= entry & 0xff;
    table = 0;
  }
  const ones = (1 << bits) - 1;
  if (table !== 0 || (window & ones) !== ones) return undefined;
  return latin1(out, 0, length);
}

function buildLookup(): Int32Array {
  const order = Array.from(lengths.keys()).sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  const tables: number[][] = [new Array(256).fill(0)];
  let code = 0;
  let previous = lengths[order[0]!]!;
  for (const symbol of order) {
    const length = lengths[symbol]!;
    code <<= length - previous;
    previous = length;
    codes[symbol] = code;
    place(tables, symbol, code, length);
    code += 1;
  }
  return Int32Array.from(tables.flat());
}

function place(tables: number[][], symbol: number, code: number, length: number): void {
  let table = 0;
  let left = length;
  while (left > 8) {
    left -= 8;
    const index = (code >>> left) & 0xff;
    if (tables[table]![index] === 0) {
      tables[table]![index] = -tables.length;
      tables.push(new Array(256).fill(0));
    }
    table = -tables[table]![index]!;
  }
  const first = (code << (8 - left)) & 0xff;
  for (let i = 0; i < 1 << (8 - left); i++) tables[table]![first + i] = (symbol << 8) | left;
}
