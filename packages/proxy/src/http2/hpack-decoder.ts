import { latin1 } from "../net/latin1.ts";
import { readHuffman } from "./huffman.ts";
import { staticCount, staticNames, staticValues } from "./static-table.ts";

/** What every entry costs beside its octets. @see RFC 7541 §4.1 */
export const entryOverheadBytes = 32;

/** A table's size before anyone has named another. @see RFC 9113 §6.5.2 */
export const initialTableBytes = 4096;

export interface FieldLimits {
  /** Names, values and 32 per field, as RFC 7541 counts. */
  readonly maxBytes: number;
  readonly maxCount: number;
}

/**
 * Decodes header blocks of one connection, with bounded memory whatever arrives.
 *
 * A block larger than the limits is still read to its end, without keeping its
 * fields, because the dynamic table must follow the sender's.
 *
 * @see RFC 7541
 */
export class HpackDecoder {
  /** Set by `decode`: the fields were more than the limits allow and are incomplete. */
  isOverLimit = false;
  readonly #limits: FieldLimits;
  readonly #maxTableBytes: number;
  #tableLimitBytes: number;
  #tableBytes = 0;
  /** Newest last; entries before `#first` are gone. */
  #names: string[] = [];
  #values: string[] = [];
  #first = 0;
  #listBytes = 0;
  #at = 0;

  /** `maxTableBytes` is what SETTINGS_HEADER_TABLE_SIZE told the peer. */
  constructor(limits: FieldLimits, maxTableBytes: number) {
    this.#limits = limits;
    // Until it has read our SETTINGS the peer goes by the protocol's own size.
    this.#maxTableBytes = Math.max(maxTableBytes, initialTableBytes);
    this.#tableLimitBytes = initialTableBytes;
  }

  /** Octets in the dynamic table. */
  get tableBytes(): number {
    return this.#tableBytes;
  }

  /** Appends the fields of the block `bytes[start, end)` to `flat`; false is a COMPRESSION_ERROR. */
  decode(bytes: Buffer, start: number, end: number, flat: string[]): boolean {
    this.#at = start;
    this.#listBytes = 0;
    this.isOverLimit = false;
    let canResize = true;
    while (this.#at < end) {
      const first = bytes[this.#at]!;
      if (first & 0x80) {
        if (!this.#indexed(this.#integer(bytes, end, 7), flat)) return false;
      } else if ((first & 0xe0) === 0x20) {
        const size = this.#integer(bytes, end, 5);
        if (!canResize || size < 0 || size > this.#maxTableBytes) return false;
        this.#tableLimitBytes = size;
        this.#evict(0);
        continue;
      } else if (!this.#literal(bytes, end, (first & 0x40) !== 0, flat)) return false;
      canResize = false;
    }
    return true;
  }

  #indexed(index: number, flat: string[]): boolean {
    const name = this.#nameAt(index);
    if (name === undefined) return false;
    const value =
      index <= staticCount
        ? staticValues[index]!
        : this.#values[this.#values.length - (index - staticCount)]!;
    this.#keep(name, value, flat);
    return true;
  }

  #literal(bytes: Buffer, end: number, isIndexed: boolean, flat: string[]): boolean {
    const index = this.#integer(bytes, end, isIndexed ? 6 : 4);
    const name = index === 0 ? this.#string(bytes, end) : this.#nameAt(index);
    if (name === undefined) return false;
    const value = this.#string(bytes, end);
    if (value === undefined) return false;
    this.#keep(name, value, flat);
    if (isIndexed) this.#insert(name, value);
    return true;
  }

  #nameAt(index: number): string | undefined {
    if (index <= staticCount) return index > 0 ? staticNames[index] : undefined;
    const position = this.#names.length - (index - staticCount);
    return position >= this.#first ? this.#names[position] : undefined;
  }

  #keep(name: string, value: string, flat: string[]): void {
    this.#listBytes += name.length + value.length + entryOverheadBytes;
    if (this.#listBytes > this.#limits.maxBytes || flat.length >= this.#limits.maxCount * 2) {
      this.isOverLimit = true;
    } else flat.push(name, value);
  }

  #insert(name: string, value: string): void {
    const size = name.length + value.length + entryOverheadBytes;
    this.#evict(size);
    if (size > this.#tableLimitBytes) return;
    this.#names.push(name);
    this.#values.push(value);
    this.#tableBytes += size;
  }

  /** Makes room for an entry of `size`; a larger one than the table empties it. */
  #evict(size: number): void {
    while (this.#tableBytes + size > this.#tableLimitBytes && this.#first < this.#names.length) {
      const first = this.#first++;
      this.#tableBytes -= this.#names[first]!.length + this.#values[first]!.length + entryOverheadBytes;
      this.#names[first] = "";
      this.#values[first] = "";
    }
    if (this.#first > 64 && this.#first * 2 > this.#names.length) {
      this.#names = this.#names.slice(this.#first);
      this.#values = this.#values.slice(this.#first);
      this.#first = 0;
    }
  }

  /** -1 when it is cut off or out of range. @see RFC 7541 §5.1 */
  #integer(bytes: Buffer, end: number, prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = bytes[this.#at++]! & mask;
    if (value < mask) return value;
    for (let shift = 0; shift < 28; shift += 7) {
      if (this.#at >= end) return -1;
      const octet = bytes[this.#at++]!;
      value += (octet & 0x7f) << shift;
      if (octet < 0x80) return value;
    }
    return -1;
  }

  #string(bytes: Buffer, end: number): string | undefined {
    if (this.#at >= end) return undefined;
    const isHuffman = bytes[this.#at]! >= 0x80;
    const length = this.#integer(bytes, end, 7);
    const start = this.#at;
    if (length < 0 || length > end - start) return undefined;
    this.#at = start + length;
    return isHuffman ? readHuffman(bytes, start, start + length) : latin1(bytes, start, start + length);
  }
}
