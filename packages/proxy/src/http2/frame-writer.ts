import type { Connection } from "../net/connection.ts";
import type { FloodGuard } from "./flood-guard.ts";
import { Flag, FrameType, frameHeadBytes, maxFrameBytes, writeFrameHead } from "./frames.ts";
import { HpackEncoder } from "./hpack-encoder.ts";
import type { SessionControl } from "./session-control.ts";

const frameHead = Buffer.alloc(frameHeadBytes);

/**
 * Writes the frames of one connection and counts them: a peer that makes us
 * write faster than it reads is flooding.
 *
 * @see RFC 9113 §4
 */
export class FrameWriter {
  readonly #connection: Connection;
  readonly #guard: FloodGuard;
  readonly #control: SessionControl;
  readonly #encoder = new HpackEncoder();

  constructor(connection: Connection, guard: FloodGuard, control: SessionControl) {
    this.#connection = connection;
    this.#guard = guard;
    this.#control = control;
  }

  /** What the peer will remember of header fields. */
  setPeerTableSize(sizeBytes: number): void {
    this.#encoder.setPeerTableSize(sizeBytes);
  }

  /** `pseudo` and `extra` (flat, or undefined) come before and after the other fields. */
  headers(
    streamId: number,
    pseudo: readonly string[] | undefined,
    flat: readonly string[],
    extra: readonly string[] | undefined,
    end: boolean,
  ): void {
    const encoder = this.#encoder;
    encoder.begin(frameHeadBytes);
    if (pseudo) for (let i = 0; i < pseudo.length; i += 2) encoder.field(pseudo[i]!, pseudo[i + 1]!);
    for (let i = 0; i < flat.length; i += 2) encoder.field(flat[i]!, flat[i + 1]!);
    if (extra) for (let i = 0; i < extra.length; i += 2) encoder.field(extra[i]!, extra[i + 1]!);
    const frame = encoder.finish();
    if (this.#guard.frameSent(this.#connection.unsentBytes === 0)) {
      this.#control.flood("outbound frames");
      return;
    }
    const length = frame.length - frameHeadBytes;
    const endFlag = end ? Flag.EndStream : 0;
    if (length <= maxFrameBytes) {
      writeFrameHead(frame, 0, length, FrameType.Headers, endFlag | Flag.EndHeaders, streamId);
      this.#connection.write(frame);
    } else this.#continued(frame, endFlag, streamId);
  }

  /** One DATA frame of `chunk[start, start + count)`; false when the connection was closed for it. */
  data(streamId: number, chunk: Buffer, start: number, count: number, isEnd: boolean): boolean {
    const connection = this.#connection;
    writeFrameHead(frameHead, 0, count, FrameType.Data, isEnd ? Flag.EndStream : 0, streamId);
    if (this.#guard.dataFrameSent(connection.unsentBytes === 0)) {
      this.#control.flood("outbound frames");
      return false;
    }
    connection.write(frameHead);
    if (count > 0) connection.write(count === chunk.length ? chunk : chunk.subarray(start, start + count));
    return true;
  }

  /** A frame that the peer provoked: SETTINGS and PING answers, RST_STREAM. */
  control(frame: Buffer): void {
    if (this.#control.isClosed) return;
    if (this.#guard.controlFrameSent(this.#connection.unsentBytes === 0))
      this.#control.flood("control frames");
    else this.#connection.write(frame);
  }

  /** A frame of our own accord. */
  write(frame: Uint8Array): void {
    this.#connection.write(frame);
  }

  #continued(frame: Buffer, endFlag: number, streamId: number): void {
    writeFrameHead(frame, 0, maxFrameBytes, FrameType.Headers, endFlag, streamId);
    this.#connection.write(frame.subarray(0, frameHeadBytes + maxFrameBytes));
    for (let at = frameHeadBytes + maxFrameBytes; at < frame.length; at += maxFrameBytes) {
      const count = Math.min(maxFrameBytes, frame.length - at);
      const flags = at + count === frame.length ? Flag.EndHeaders : 0;
      writeFrameHead(frameHead, 0, count, FrameType.Continuation, flags, streamId);
      this.#connection.write(frameHead);
      this.#connection.write(frame.subarray(at, at + count));
    }
  }
}
