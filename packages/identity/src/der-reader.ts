/** Bytes that are not the DER the reader was asked for. */
export class DerError extends Error {
  override readonly name = "DerError";
}

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  utcTime: 0x17,
  generalizedTime: 0x18,
} as const;

/**
 * Reads DER (X.690) front to back, and nothing that is only BER: lengths are
 * definite and minimal, so that what is read here and what OpenSSL reads from
 * the same bytes cannot differ. It never recurses and never copies, so its
 * cost is bounded by the size of its input.
 */
export class DerReader {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get isEmpty(): boolean {
    return this.#at >= this.#end;
  }

  /** The tag of the next element; undefined at the end. */
  peekTag(): number | undefined {
    return this.isEmpty ? undefined : this.#bytes[this.#at];
  }

  /** A reader over the content of the next element, which must have this tag. */
  enter(tag: number): DerReader {
    const { start, end } = this.#next(tag);
    return new DerReader(this.#bytes, start, end);
  }

  /** The content of the next element, which must have this tag. */
  content(tag: number): Buffer {
    const { start, end } = this.#next(tag);
    return this.#bytes.subarray(start, end);
  }

  /** The next element whole, tag and length included. */
  element(tag?: number): Buffer {
    const from = this.#at;
    const { end } = this.#next(tag);
    return this.#bytes.subarray(from, end);
  }

  oid(): string {
    return decodeOid(this.content(tags.oid));
  }

  /** DER knows one true: 0xff. */
  boolean(): boolean {
    const content = this.content(tags.boolean);
    if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff))
      throw new DerError("a bad BOOLEAN");
    return content[0] === 0xff;
  }

  /** Big-endian two's complement, in its shortest form. */
  integer(): Buffer {
    const content = this.content(tags.integer);
    const [first, second] = content;
    if (first === undefined) throw new DerError("an empty INTEGER");
    if (second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))) {
      throw new DerError("an INTEGER that is not in its shortest form");
    }
    return content;
  }

  /** A whole number from 0 to `max` (at most 2³¹ − 1). */
  smallInteger(max: number): number {
    const content = this.integer();
    if (content.length > 4 || content[0]! >= 0x80) throw new DerError(`an INTEGER outside 0 to ${max}`);
    const value = content.readUIntBE(0, content.length);
    if (value > max) throw new DerError(`an INTEGER outside 0 to ${max}`);
    return value;
  }

  /** The bits and how many of the last byte are unused. */
  bitString(): { readonly bits: Buffer; readonly unused: number } {
    const content = this.content(tags.bitString);
    const unused = content[0];
    if (unused === undefined || unused > 7 || (content.length === 1 && unused > 0)) {
      throw new DerError("a bad BIT STRING");
    }
    return { bits: content.subarray(1), unused };
  }

  finish(): void {
    if (!this.isEmpty) throw new DerError("bytes after the end");
  }

  #next(tag: number | undefined): { readonly start: number; readonly end: number } {
    const found = this.#bytes[this.#at];
    if (this.#at + 2 > this.#end || found === undefined) throw new DerError("the data ends too early");
    if ((found & 0x1f) === 0x1f) throw new DerError("a tag of more than one byte");
    if (tag !== undefined && found !== tag) {
      throw new DerError(`tag 0x${found.toString(16)} where 0x${tag.toString(16)} belongs`);
    }
    let length = this.#bytes[this.#at + 1]!;
    let start = this.#at + 2;
    if (length >= 0x80) {
      const size = length & 0x7f;
      if (size === 0 || size > 3) throw new DerError("an indefinite or oversized length");
      if (start + size > this.#end) throw new DerError("the data ends too early");
      length = this.#bytes.readUIntBE(start, size);
      if (length < 0x80 || length < 2 ** (8 * (size - 1)))
        throw new DerError("a length not in its shortest form");
      start += size;
    }
    const end = start + length;
    if (end > this.#end) throw new DerError("the data ends too early");
    this.#at = end;
    return { start, end };
  }
}

function decodeOid(content: Buffer): string {
  const arcs: number[] = [];
  let value = 0;
  let isInside = false;
  for (const byte of content) {
    if (!isInside && byte === 0x80) throw new DerError("an OID that is not in its shortest form");
    if (value > 2 ** 40) throw new DerError("an OID with an arc that is too large");
    value = value * 128 + (byte & 0x7f);
    isInside = byte >= 0x80;
    if (isInside) continue;
    arcs.push(value);
    value = 0;
  }
  const first = arcs.shift();
  if (isInside || first === undefined) throw new DerError("an OID that ends too early");
  const top = Math.min(Math.floor(first / 40), 2);
  return [top, first - top * 40, ...arcs].join(".");
}
