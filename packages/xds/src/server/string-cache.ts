const decoder = new TextDecoder("utf-8", { fatal: true });
/** Longer strings are rare, and not worth a place. */
const maxLength = 256;

/**
 * Reads strings of messages so that those which many messages hold are one
 * string in memory: thousands of clients name the same resources and versions.
 *
 * Has a fixed number of places, each for the last string that fell on it:
 * whatever clients send, it does not grow, and a string it does not have is
 * simply read.
 */
export class StringCache {
  readonly #places: (string | undefined)[];
  readonly #mask: number;

  /** @param size a power of two */
  constructor(size: number) {
    this.#places = new Array<string | undefined>(size).fill(undefined);
    this.#mask = size - 1;
  }

  /** The text of these bytes. @throws TypeError when they are not UTF-8 */
  read(bytes: Uint8Array, start: number, end: number): string {
    if (end - start > maxLength) return decoder.decode(bytes.subarray(start, end));
    let hash = 2166136261;
    let all = 0;
    for (let i = start; i < end; i += 1) {
      const byte = bytes[i]!;
      hash = Math.imul(hash ^ byte, 16777619);
      all |= byte;
    }
    // Only in ASCII a byte is a character.
    if (all > 0x7f) return decoder.decode(bytes.subarray(start, end));
    const place = (hash ^ (hash >>> 15)) & this.#mask;
    const known = this.#places[place];
    if (known !== undefined && isText(known, bytes, start, end)) return known;
    const text = decoder.decode(bytes.subarray(start, end));
    this.#places[place] = text;
    return text;
  }
}

function isText(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let i = 0; i < text.length; i += 1) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}
