import { tags } from "./der-reader.ts";

/** One DER element: tag, shortest length, content. */
export function element(tag: number, ...parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([header(tag, length), ...parts]);
}

export function sequence(...parts: readonly Buffer[]): Buffer {
  return element(tags.sequence, ...parts);
}

export function oid(text: string): Buffer {
  const [top, second, ...rest] = text.split(".").map(Number) as [number, number, ...number[]];
  const bytes: number[] = [];
  for (const arc of [top * 40 + second, ...rest]) {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift((left % 128) | 0x80);
    bytes.push(...groups);
  }
  return element(tags.oid, Buffer.from(bytes));
}

/** A positive INTEGER from its big-endian bytes. */
export function unsignedInteger(bytes: Buffer): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const shortest = bytes.subarray(start);
  return element(tags.integer, shortest[0]! >= 0x80 ? Buffer.concat([Buffer.of(0), shortest]) : shortest);
}

export function bitString(bits: Buffer, unused = 0): Buffer {
  return element(tags.bitString, Buffer.of(unused), bits);
}

export function octetString(content: Buffer): Buffer {
  return element(tags.octetString, content);
}

export const derTrue: Buffer = element(tags.boolean, Buffer.of(0xff));

/** UTCTime until 2049, GeneralizedTime from 2050 (RFC 5280, 4.1.2.5); fractions of a second are dropped. */
export function time(ms: number): Buffer {
  const digits = new Date(ms)
    .toISOString()
    .replace(/\.\d+Z$/, "Z")
    .replace(/[-:T]/g, "");
  const isUtcTime = digits < "2050";
  return element(
    isUtcTime ? tags.utcTime : tags.generalizedTime,
    Buffer.from(isUtcTime ? digits.slice(2) : digits, "latin1"),
  );
}

function header(tag: number, length: number): Buffer {
  if (length < 0x80) return Buffer.of(tag, length);
  if (length < 0x100) return Buffer.of(tag, 0x81, length);
  if (length < 0x10000) return Buffer.of(tag, 0x82, length >> 8, length & 0xff);
  return Buffer.of(tag, 0x83, length >> 16, (length >> 8) & 0xff, length & 0xff);
}
