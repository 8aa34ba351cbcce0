import type { FloodGuard } from "./flood-guard.ts";
import { Flag, maxFrameBytes, maxWindowBytes } from "./frames.ts";
import type { SessionControl } from "./session-control.ts";

/** Where complete header blocks go; `bytes[start, end)` is valid during the call. */
export interface HeaderBlockSink {
  onHeadStarted(): void;
  onBlock(streamId: number, isEnd: boolean, bytes: Buffer, start: number, end: number): void;
  /** The frame said that the stream depends on itself. @see RFC 7540 §5.3.1 */
  onOwnParent(streamId: number): void;
}

interface Partial {
  readonly streamId: number;
  readonly isEnd: boolean;
  readonly pieces: Buffer[];
  sizeBytes: number;
}

/** More pieces than this are no head: an honest peer fills its frames. */
const maxPieces = 1024;

/**
 * Joins HEADERS and the CONTINUATION frames after it into header blocks, of
 * which one at most is incomplete, within what a head may measure.
 *
 * @see RFC 9113 §4.3
 */
export class HeaderBlocks {
  readonly #sink: HeaderBlockSink;
  readonly #guard: FloodGuard;
  readonly #control: SessionControl;
  readonly #maxBytes: number;
  #partial: Partial | undefined = undefined;

  constructor(sink: HeaderBlockSink, guard: FloodGuard, control: SessionControl, maxHeadBytes: number) {
    this.#sink = sink;
    this.#guard = guard;
    this.#control = control;
    // Compressed, a head within the limits is hardly larger than its fields.
    this.#maxBytes = maxHeadBytes + maxFrameBytes;
  }

  /** The stream whose block is incomplete, or 0: only its CONTINUATION may follow. */
  get openStreamId(): number {
    return this.#partial?.streamId ?? 0;
  }

  drop(): void {
    this.#partial = undefined;
  }

  headers(flags: number, streamId: number, bytes: Buffer, from: number, end: number): void {
    let start = from;
    if ((streamId & 1) === 0) {
      this.#control.violation();
      return;
    }
    const isEnd = (flags & Flag.EndStream) !== 0;
    if (this.#guard.frameWithPayload(end === start && !isEnd)) {
      this.#control.flood("empty frames");
      return;
    }
    let isOwnParent = false;
    if (flags & Flag.Priority) {
      if (end - start < 5) {
        this.#control.frameSizeError();
        return;
      }
      isOwnParent = (bytes.readUInt32BE(start) & maxWindowBytes) === streamId;
      start += 5;
    }
    if (flags & Flag.EndHeaders) {
      this.#sink.onBlock(streamId, isEnd, bytes, start, end);
      if (isOwnParent) this.#sink.onOwnParent(streamId);
      return;
    }
    const piece = Buffer.from(bytes.subarray(start, end));
    this.#partial = { streamId, isEnd, pieces: [piece], sizeBytes: piece.length };
    this.#sink.onHeadStarted();
  }

  continuation(flags: number, bytes: Buffer, start: number, end: number): void {
    const partial = this.#partial;
    if (!partial) {
      this.#control.violation();
      return;
    }
    const isComplete = (flags & Flag.EndHeaders) !== 0;
    if (this.#guard.frameWithPayload(end === start && !isComplete)) {
      this.#control.flood("empty frames");
      return;
    }
    partial.pieces.push(Buffer.from(bytes.subarray(start, end)));
    partial.sizeBytes += end - start;
    if (partial.sizeBytes > this.#maxBytes || partial.pieces.length > maxPieces) {
      this.#control.flood("continuation");
      return;
    }
    if (!isComplete) return;
    this.#partial = undefined;
    this.#sink.onBlock(partial.streamId, partial.isEnd, Buffer.concat(partial.pieces), 0, partial.sizeBytes);
  }
}
