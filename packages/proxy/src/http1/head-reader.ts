import { latin1 } from "../net/latin1.ts";
import { type HeadError, type HeadLimits, headTooLarge, isHopeless } from "./head.ts";

const terminator = Buffer.from("\r\n\r\n");
const firstLookBytes = 4096;
const broken: HeadError = { status: 400, details: "http1.codec_error" };

/**
 * Finds message heads in a byte stream cut anywhere, keeping at most one
 * incomplete head. Usually a whole head is there at once and nothing is copied.
 */
export class HeadReader {
  /** The head's text, without its final CRLF CRLF, after `read` returned a position. */
  text = "";
  /** Set when `read` returned -1 because the bytes can never be a head. */
  error: HeadError | undefined;
  readonly #limits: HeadLimits;
  readonly #skipsEmptyLines: boolean;
  #partial: Buffer | undefined;

  /** @param skipsEmptyLines before a head: a server does (RFC 9112 §2.2), a client has no reason to. */
  constructor(limits: HeadLimits, skipsEmptyLines: boolean) {
    this.#limits = limits;
    this.#skipsEmptyLines = skipsEmptyLines;
  }

  get hasPartial(): boolean {
    return this.#partial !== undefined;
  }

  reset(): void {
    this.#partial = undefined;
    this.text = "";
  }

  /** Consumes from `bytes[start, end)`: the position after the head, or -1 when it is incomplete (kept) or broken. */
  read(bytes: Buffer, start: number, end: number): number {
    if (this.#partial) return this.#readOn(this.#partial, bytes, start, end);
    let at = start;
    while (this.#skipsEmptyLines && at + 1 < end && bytes[at] === 13 && bytes[at + 1] === 10) at += 2;
    if (at === end) return -1;
    let lookEnd = Math.min(end, at + firstLookBytes);
    let text = latin1(bytes, at, lookEnd);
    let found = text.indexOf("\r\n\r\n");
    if (found < 0 && lookEnd < end) {
      lookEnd = Math.min(end, at + this.#limits.maxBytes + 4);
      text = latin1(bytes, at, lookEnd);
      found = text.indexOf("\r\n\r\n");
    }
    if (found < 0) {
      if (this.#isOverOrBroken(text, text.length)) return -1;
      this.#partial = Buffer.from(bytes.subarray(at, end));
      return -1;
    }
    if (found > this.#limits.maxBytes) {
      this.error = headTooLarge;
      return -1;
    }
    this.text = text.slice(0, found);
    return at + found + 4;
  }

  #readOn(partial: Buffer, bytes: Buffer, start: number, end: number): number {
    const before = partial.length;
    const room = Math.max(0, this.#limits.maxBytes + 4 - before);
    const joined = Buffer.concat([partial, bytes.subarray(start, Math.min(end, start + room))]);
    const found = joined.indexOf(terminator, Math.max(0, before - 3));
    if (found < 0) {
      // Only what is new needs looking at, so that a head sent byte by byte stays cheap.
      const fresh = latin1(joined, Math.max(0, before - 1), joined.length);
      if (this.#isOverOrBroken(fresh.startsWith("\n") ? `\r${fresh}` : fresh, joined.length)) return -1;
      this.#partial = joined;
      return -1;
    }
    this.#partial = undefined;
    this.text = latin1(joined, 0, found);
    return start + found + 4 - before;
  }

  #isOverOrBroken(text: string, length: number): boolean {
    if (isHopeless(text)) this.error = broken;
    else if (length > this.#limits.maxBytes) this.error = headTooLarge;
    return this.error !== undefined;
  }
}
