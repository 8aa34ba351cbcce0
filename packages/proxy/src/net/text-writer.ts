import { writeLatin1 } from "./latin1.ts";

/** Up to here a loop is faster than a call into the runtime. */
const loopLength = 24;

/**
 * Puts text together as bytes, one for each code point below 256, where it is
 * sent from.
 *
 * A head has some thirty pieces. As one string each of them would be an object,
 * and all would be copied twice: into the string's flat form and out of it.
 */
export class TextWriter {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;

  /** The caller has made room. */
  put(text: string): void {
    const { bytes, at } = this;
    const { length } = text;
    if (length > loopLength) writeLatin1(bytes, text, at);
    else for (let i = 0; i < length; i++) bytes[at + i] = text.charCodeAt(i);
    this.at = at + length;
  }

  /** Text that was encoded before. */
  putEncoded(text: Uint8Array): void {
    const { bytes, at } = this;
    const { length } = text;
    for (let i = 0; i < length; i++) bytes[at + i] = text[i]!;
    this.at = at + length;
  }
}
