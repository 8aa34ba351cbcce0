interface Latin1Buffer {
  latin1Slice(start: number, end: number): string;
  latin1Write(text: string, offset: number, length: number): number;
}

/** One UTF-16 unit per byte of `bytes[start, end)`: the form in which heads are parsed. */
export function latin1(bytes: Buffer, start: number, end: number): string {
  return (bytes as unknown as Latin1Buffer).latin1Slice(start, end);
}

/** Writes text of code points below 256 at `offset`; the caller has made room for `text.length` bytes. */
export function writeLatin1(bytes: Buffer, text: string, offset: number): void {
  (bytes as unknown as Latin1Buffer).latin1Write(text, offset, text.length);
}

/**
 * A copy in one piece, of text of code points below 256. Text that was put
 * together or cut from other text keeps all of it alive, and is read by way of it.
 */
export function flat(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}
