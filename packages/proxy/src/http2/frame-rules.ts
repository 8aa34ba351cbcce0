import type { BodyReceiver } from "./body-receiver.ts";
import type { BodySender } from "./body-sender.ts";
import type { FloodGuard } from "./flood-guard.ts";
import type { FrameSink } from "./frame-reader.ts";
import { ErrorCode, Flag, FrameType, maxWindowBytes } from "./frames.ts";
import type { HeaderBlocks } from "./header-blocks.ts";
import type { Http2Stream } from "./http2-stream.ts";
import type { SessionControl } from "./session-control.ts";
import type { StreamTable } from "./stream-table.ts";

/** Frames that concern the whole session, well-formed. */
export interface SessionFrames {
  readonly state: "preface" | "settings" | "open" | "closed";
  onReset(streamId: number, code: number): void;
  onSettings(bytes: Buffer, start: number, end: number): void;
  /** `payload` is valid during the call. */
  onPing(payload: Buffer): void;
  onPingAnswered(payload: Buffer): void;
  onGoaway(lastStreamId: number): void;
}

/**
 * Lets no frame pass that is of the wrong length, on the wrong stream or at the
 * wrong time, and takes each of the others to whoever acts on it.
 *
 * @see RFC 9113 §6
 */
export class FrameRules implements FrameSink {
  readonly #session: SessionFrames;
  readonly #control: SessionControl;
  readonly #guard: FloodGuard;
  readonly #table: StreamTable<Http2Stream>;
  readonly #blocks: HeaderBlocks;
  readonly #receiver: BodyReceiver;
  readonly #sender: BodySender;

  constructor(
    session: SessionFrames & SessionControl,
    guard: FloodGuard,
    table: StreamTable<Http2Stream>,
    blocks: HeaderBlocks,
    receiver: BodyReceiver,
    sender: BodySender,
  ) {
    this.#session = session;
    this.#control = session;
    this.#guard = guard;
    this.#table = table;
    this.#blocks = blocks;
    this.#receiver = receiver;
    this.#sender = sender;
  }

  onOversizedFrame(): void {
    this.#control.frameSizeError();
  }

  onBadPadding(): void {
    this.#control.violation();
  }

  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const { openStreamId } = this.#blocks;
    if (openStreamId !== 0 && (type !== FrameType.Continuation || streamId !== openStreamId)) {
      this.#control.violation();
      return;
    }
    if (this.#session.state === "settings" && (type !== FrameType.Settings || flags & Flag.Ack)) {
      this.#control.violation();
      return;
    }
    switch (type) {
      case FrameType.Headers:
        this.#blocks.headers(flags, streamId, bytes, start, end);
        break;
      case FrameType.Continuation:
        this.#blocks.continuation(flags, bytes, start, end);
        break;
      case FrameType.Priority:
        this.#priority(streamId, bytes, start, end);
        break;
      case FrameType.RstStream:
        if (end - start !== 4) this.#control.frameSizeError();
        else this.#session.onReset(streamId, bytes.readUInt32BE(start));
        break;
      case FrameType.Settings:
        this.#settings(flags, streamId, bytes, start, end);
        break;
      case FrameType.Ping:
        if (streamId !== 0) this.#control.violation();
        else if (end - start !== 8) this.#control.frameSizeError();
        else if (flags & Flag.Ack) this.#session.onPingAnswered(bytes.subarray(start, end));
        else this.#session.onPing(bytes.subarray(start, end));
        break;
      case FrameType.Goaway:
        if (streamId !== 0) this.#control.violation();
        else if (end - start < 8) this.#control.frameSizeError();
        else this.#session.onGoaway(bytes.readUInt32BE(start) & maxWindowBytes);
        break;
      case FrameType.WindowUpdate:
        if (end - start !== 4) this.#control.frameSizeError();
        else this.#sender.grow(streamId, bytes.readUInt32BE(start) & maxWindowBytes);
        break;
      case FrameType.PushPromise:
        this.#control.violation();
        break;
      default:
      // Unknown frames are ignored. @see RFC 9113 §5.5
    }
  }

  onDataFrame(streamId: number, flags: number, length: number): void {
    const isEnd = (flags & Flag.EndStream) !== 0;
    const isMisplaced = this.#session.state !== "open" || this.#blocks.openStreamId !== 0;
    if (isMisplaced || streamId === 0 || streamId > this.#control.lastStreamId) {
      this.#control.violation();
      return;
    }
    if (this.#guard.frameWithPayload(length === 0 && !isEnd)) {
      this.#control.flood("empty frames");
      return;
    }
    if (!this.#receiver.beginFrame(length, isEnd)) return;
    const stream = this.#table.get(streamId);
    if (stream) this.#receiver.accept(stream, length);
    else if ((streamId & 1) === 0) this.#control.violation();
    else if (!this.#table.wasReset(streamId)) this.#table.sendReset(streamId, ErrorCode.StreamClosed);
  }

  onDataPiece(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    this.#receiver.piece(bytes, start, end, isLast);
  }

  #priority(streamId: number, bytes: Buffer, start: number, end: number): void {
    if (streamId === 0) this.#control.violation();
    else if (end - start !== 5) this.#table.abortById(streamId, ErrorCode.FrameSizeError);
    else if (this.#guard.priorityFrame()) this.#control.flood("priority");
    else if ((bytes.readUInt32BE(start) & maxWindowBytes) === streamId) {
      this.#table.abortById(streamId, ErrorCode.ProtocolError);
    }
  }

  #settings(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const isAck = (flags & Flag.Ack) !== 0;
    if (streamId !== 0) this.#control.violation();
    else if ((isAck && end > start) || (end - start) % 6 !== 0) this.#control.frameSizeError();
    else if (!isAck) this.#session.onSettings(bytes, start, end);
  }
}
