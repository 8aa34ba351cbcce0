import { Flag, FrameType, frameHeadBytes, maxFrameBytes } from "./frames.ts";

/** Receives the frames of one connection. Bytes are valid during the call only. */
export interface FrameSink {
  /** A whole frame other than DATA: its payload is `bytes[start, end)`. */
  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void;
  /** A DATA frame begins; `length` counts its padding. Pieces follow, the last of them marked, unless the reader was stopped. */
  onDataFrame(streamId: number, flags: number, length: number): void;
  onDataPiece(bytes: Buffer, start: number, end: number, isLast: boolean): void;
  /** A frame longer than was offered. Nothing may be read after it. */
  onOversizedFrame(): void;
  /** Padding longer than its frame. */
  onBadPadding(): void;
}

/**
 * Finds frames in a byte stream cut anywhere. Data is handed on as it comes;
 * of other frames at most one incomplete one is kept, of bounded size.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  #isStopped = false;
  /** Octets of the current DATA frame still to come. */
  #dataLeft = 0;
  /** An incomplete frame, head included. */
  #held: Buffer | undefined;
  #heldBytes = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Nothing is delivered any more. */
  stop(): void {
    this.#isStopped = true;
    this.#held = undefined;
  }

  read(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end && !this.#isStopped) {
      if (this.#dataLeft > 0) {
        const count = Math.min(this.#dataLeft, end - at);
        this.#dataLeft -= count;
        this.#sink.onDataPiece(bytes, at, at + count, this.#dataLeft === 0);
        at += count;
      } else if (this.#held) at = this.#fill(this.#held, bytes, at, end);
      else at = this.#frame(bytes, at, end);
    }
  }

  /** Takes a frame where it lies, or keeps the beginning of it. */
  #frame(bytes: Buffer, at: number, end: number): number {
    const available = end - at;
    if (available >= frameHeadBytes) {
      const length = lengthAt(bytes, at);
      if (length > maxFrameBytes) {
        this.#sink.onOversizedFrame();
        return end;
      }
      if (isPlainData(bytes, at)) return this.#beginData(bytes, at, length);
      if (available >= frameHeadBytes + length) {
        this.#deliver(bytes, at, length);
        return at + frameHeadBytes + length;
      }
      this.#held = Buffer.allocUnsafe(frameHeadBytes + length);
    } else this.#held = Buffer.allocUnsafe(frameHeadBytes);
    bytes.copy(this.#held, 0, at, end);
    this.#heldBytes = available;
    return end;
  }

  #fill(held: Buffer, bytes: Buffer, start: number, end: number): number {
    const count = Math.min(held.length - this.#heldBytes, end - start);
    bytes.copy(held, this.#heldBytes, start, start + count);
    this.#heldBytes += count;
    if (this.#heldBytes < held.length) return end;
    this.#held = undefined;
    // A head alone is looked at again: it may be all there is, or the payload follows.
    if (held.length === frameHeadBytes && (lengthAt(held, 0) > 0 || isPlainData(held, 0))) {
      this.#frame(held, 0, frameHeadBytes);
    } else this.#deliver(held, 0, held.length - frameHeadBytes);
    return start + count;
  }

  #beginData(bytes: Buffer, at: number, length: number): number {
    const payload = at + frameHeadBytes;
    this.#dataLeft = length;
    this.#sink.onDataFrame(streamIdAt(bytes, at), bytes[at + 4]!, length);
    if (length === 0 && !this.#isStopped) this.#sink.onDataPiece(bytes, payload, payload, true);
    return payload;
  }

  #deliver(bytes: Buffer, at: number, length: number): void {
    const type = bytes[at + 3]!;
    const flags = bytes[at + 4]!;
    const streamId = streamIdAt(bytes, at);
    let start = at + frameHeadBytes;
    let end = start + length;
    const isData = type === FrameType.Data;
    if ((isData || type === FrameType.Headers) && flags & Flag.Padded) {
      const padding = length > 0 ? bytes[start]! : length;
      if (padding >= length) {
        this.#sink.onBadPadding();
        return;
      }
      start += 1;
      end -= padding;
    }
    if (!isData) {
      this.#sink.onFrame(type, flags, streamId, bytes, start, end);
      return;
    }
    this.#sink.onDataFrame(streamId, flags, length);
    if (!this.#isStopped) this.#sink.onDataPiece(bytes, start, end, true);
  }
}

function lengthAt(bytes: Buffer, at: number): number {
  return (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
}

function streamIdAt(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at + 5) & 0x7fffffff;
}

function isPlainData(bytes: Buffer, at: number): boolean {
  return bytes[at + 3] === FrameType.Data && (bytes[at + 4]! & Flag.Padded) === 0;
}
