/** The little of DER that certificates are looked at and made with here. */

export interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Where it begins and ends in what it was read from. */
  readonly start: number;
  readonly end: number;
}

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectId: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  /** Of `TBSCertificate`. */
  version: 0xa0,
  extensions: 0xa3,
} as const;

/** Never throws: what is cut short has less content than it says. */
export function elementAt(bytes: Uint8Array, at: number): Element {
  let length = bytes[at + 1] ?? 0;
  let start = at + 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    length = 0;
    for (let i = 0; i < Math.min(count, 4); i++) length = length * 256 + (bytes[start + i] ?? 0);
    start += count;
  }
  const end = start + length;
  return { tag: bytes[at] ?? 0, content: bytes.subarray(start, end), start: at, end };
}

/** What stands inside an element, one after the other. */
export function valuesIn({ content }: Pick<Element, "content">): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < content.length; ) {
    const element = elementAt(content, at);
    elements.push(element);
    at = element.end;
  }
  return elements;
}

/** The bytes of one of the `valuesIn` an element, tag and length included. */
export function wholeOf({ content }: Pick<Element, "content">, { start, end }: Element): Uint8Array {
  return content.subarray(start, end);
}

/** An element of these parts, with the shortest length (at most 65,535 bytes). */
export function encode(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const { length } = Buffer.concat(parts);
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), ...parts]);
}
