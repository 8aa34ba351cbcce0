import { writeLatin1 } from "../net/latin1.ts";
import type { LineWriter } from "./line-writer.ts";

/** Up to here a loop is faster than a call into the runtime. */
const loopLength = 16;
/** The same where two calls are needed: one looks for what must be escaped. */
const quotedLoopLength = 48;
/** UTF-8 takes at most three bytes for each unit of a string. */
const maxBytesPerUnit = 3;
const maxShortNumber = 999_999_999;
const escaped = /["\\\u0000-\u001f\u007f-\uffff]/;

/**
 * Lines gathered as UTF-8, piece by piece: no line exists as a string, whose
 * pieces would be as many objects that live until their batch is written.
 */
export class LogBuffer implements LineWriter {
  bytes: Buffer;
  length = 0;

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
  }

  put(text: string): void {
    const units = text.length;
    const at = this.length;
    if (at + units * maxBytesPerUnit > this.bytes.length) this.#grow(at + units * maxBytesPerUnit);
    const { bytes } = this;
    if (units > loopLength) {
      this.length = at + writeUtf8(bytes, text, at);
      return;
    }
    for (let i = 0; i < units; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) {
        this.length = at + writeUtf8(bytes, text, at);
        return;
      }
      bytes[at + i] = unit;
    }
    this.length = at + units;
  }

  putEncoded(text: Uint8Array): void {
    const { length } = text;
    const at = this.length;
    if (at + length > this.bytes.length) this.#grow(at + length);
    const { bytes } = this;
    if (length > loopLength) bytes.set(text, at);
    else for (let i = 0; i < length; i++) bytes[at + i] = text[i]!;
    this.length = at + length;
  }

  putNumber(value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > maxShortNumber) {
      this.put(`${value}`);
      return;
    }
    let end = this.length + 1;
    for (let more = value; more > 9; more = (more / 10) | 0) end += 1;
    if (end > this.bytes.length) this.#grow(end);
    const { bytes } = this;
    this.length = end;
    let left = value;
    do {
      const tenth = (left / 10) | 0;
      bytes[--end] = 48 + left - 10 * tenth;
      left = tenth;
    } while (left > 0);
  }

  putQuoted(text: string): void {
    const units = text.length;
    const at = this.length;
    if (at + units + 2 > this.bytes.length) this.#grow(at + units + 2);
    const { bytes } = this;
    if (units > quotedLoopLength) {
      if (escaped.test(text)) {
        this.put(JSON.stringify(text));
        return;
      }
      writeLatin1(bytes, text, at + 1);
    } else {
      for (let i = 0; i < units; i++) {
        const unit = text.charCodeAt(i);
        if (unit < 0x20 || unit > 0x7e || unit === 0x22 || unit === 0x5c) {
          this.put(JSON.stringify(text));
          return;
        }
        bytes[at + 1 + i] = unit;
      }
    }
    bytes[at] = 0x22;
    bytes[at + 1 + units] = 0x22;
    this.length = at + units + 2;
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.bytes.length));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}

/** As `write`, without what that does before it comes to this; the caller has made room. The number of bytes it took. */
function writeUtf8(bytes: Buffer, text: string, offset: number): number {
  return (bytes as unknown as Utf8Buffer).utf8Write(text, offset, bytes.length - offset);
}

interface Utf8Buffer {
  utf8Write(text: string, offset: number, length: number): number;
}
