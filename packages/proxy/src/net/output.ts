import type { Socket } from "node:net";
import { writeLatin1 } from "./latin1.ts";
import { type Region, type Slab, slabFor, slabSizeBytes } from "./slab.ts";
import { TextWriter } from "./text-writer.ts";

/** One text is put together at a time. */
const writer = new TextWriter();
let writerSlab: Slab | undefined;

/** Bytes copied into shared slabs, in order, until one connection sends them. */
export class Output {
  #regions: Region[] = [];
  #spare: Region[] | undefined;

  get isEmpty(): boolean {
    return this.#regions.length === 0;
  }

  append(bytes: Uint8Array): void {
    let from = 0;
    while (from < bytes.length) {
      // Small pieces stay whole; large ones fill what is left of the slab.
      const slab = slabFor(Math.min(bytes.length - from, 4096));
      const count = Math.min(bytes.length - from, slabSizeBytes - slab.offset);
      slab.buffer.set(
        from === 0 && count === bytes.length ? bytes : bytes.subarray(from, from + count),
        slab.offset,
      );
      this.#appended(slab, count);
      from += count;
    }
  }

  /** Text of code points below 256, one byte each. */
  appendLatin1(text: string): void {
    const { length } = text;
    if (length > slabSizeBytes) {
      this.append(Buffer.from(text, "latin1"));
      return;
    }
    const slab = slabFor(length);
    writeLatin1(slab.buffer, text, slab.offset);
    this.#appended(slab, length);
  }

  /**
   * Where text of at most `maxBytes` is put together; `endText` follows at once. Large
   * text gets memory of its own.
   */
  beginText(maxBytes: number): TextWriter {
    if (maxBytes > slabSizeBytes) {
      writer.bytes = Buffer.allocUnsafe(maxBytes);
      writer.at = 0;
      writerSlab = undefined;
    } else {
      writerSlab = slabFor(maxBytes);
      writer.bytes = writerSlab.buffer;
      writer.at = writerSlab.offset;
    }
    return writer;
  }

  /** The number of bytes that were written since `beginText`. */
  endText(): number {
    if (!writerSlab) {
      this.append(writer.bytes.subarray(0, writer.at));
      return writer.at;
    }
    const count = writer.at - writerSlab.offset;
    if (count > 0) this.#appended(writerSlab, count);
    return count;
  }

  /** All of it, to be sent and released; what is appended from here on is the next to be sent. */
  take(): readonly Region[] {
    const regions = this.#regions;
    this.#regions = this.#spare ?? [];
    this.#spare = undefined;
    return regions;
  }

  /** What `take` gave has been sent, or never will be. */
  release(regions: readonly Region[]): void {
    for (const region of regions) region.slab.release();
    // Lists are used in turn: growing a new one costs more than what it holds.
    const list = regions as Region[];
    while (list.length > 0) list.pop();
    this.#spare = list;
  }

  #appended(slab: Slab, count: number): void {
    const start = slab.offset;
    slab.offset = start + count;
    const last = this.#regions[this.#regions.length - 1];
    if (last !== undefined && last.slab === slab && last.end === start) last.end = start + count;
    else {
      slab.pending += 1;
      this.#regions.push({ slab, start, end: start + count });
    }
  }
}

export function bytesOf({ slab, start, end }: Region): Buffer {
  return slab.buffer.subarray(start, end);
}

/** Writes by the socket's stream interface; `onWritten` hears of the last. */
export function writeToStream(
  socket: Socket,
  regions: readonly Region[],
  onWritten: (status: number) => void,
): void {
  const last = regions.length - 1;
  socket.cork();
  for (let i = 0; i <= last; i++) {
    const bytes = bytesOf(regions[i]!);
    if (i < last) socket.write(bytes);
    else socket.write(bytes, (error) => onWritten(error ? -1 : 0));
  }
  socket.uncork();
}
