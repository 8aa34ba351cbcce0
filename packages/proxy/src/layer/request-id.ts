import { randomFillSync } from "node:crypto";
import { latin1 } from "../net/latin1.ts";

const idBytes = 16;
const pool = Buffer.allocUnsafeSlow(256 * idBytes);
let used = pool.length;

const dash = 45;
const text = Buffer.alloc(36, dash);
const digits = Buffer.from("0123456789abcdef");
/** Where in the text each byte's two digits stand: around the dashes. */
const places = Uint8Array.of(0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34);

/**
 * A random UUID (RFC 9562, version 4) from the system's randomness.
 *
 * As `randomUUID` of Node, but one flat string: that one is put together from
 * twenty pieces, which are garbage once the first header line is written.
 */
export function createRequestId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  for (let i = 0; i < idBytes; i++) {
    let byte = pool[used + i]!;
    if (i === 6) byte = (byte & 0x0f) | 0x40;
    else if (i === 8) byte = (byte & 0x3f) | 0x80;
    const place = places[i]!;
    text[place] = digits[byte >> 4]!;
    text[place + 1] = digits[byte & 15]!;
  }
  used += idBytes;
  return latin1(text, 0, text.length);
}
