import type { HeaderList } from "../layer/header-list.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { ErrorCode, FrameType, wordFrame } from "./frames.ts";
import type { Http2Plan } from "./http2-plan.ts";
import type { Http2Stream } from "./http2-stream.ts";
import type { SessionControl } from "./session-control.ts";
import type { StreamTable } from "./stream-table.ts";

const nothing = Buffer.alloc(0);

/**
 * Delivers the bodies that arrive and gives window back as they are consumed.
 * What arrives for a paused stream is held, bounded by the windows.
 *
 * @see RFC 9113 §5.2
 */
export class BodyReceiver {
  readonly #writer: FrameWriter;
  readonly #control: SessionControl;
  readonly #table: StreamTable<Http2Stream>;
  readonly #plan: Http2Plan;
  #window: number;
  #uncredited = 0;
  #stream: Http2Stream | undefined = undefined;
  #isLastFrame = false;
  /** Octets of the DATA frame's flow-controlled length not yet delivered. */
  #left = 0;

  constructor(
    writer: FrameWriter,
    control: SessionControl,
    table: StreamTable<Http2Stream>,
    plan: Http2Plan,
  ) {
    this.#writer = writer;
    this.#control = control;
    this.#table = table;
    this.#plan = plan;
    this.#window = plan.connectionWindowBytes;
  }

  open(stream: Http2Stream): void {
    stream.receiveWindow = this.#plan.streamWindowBytes;
  }

  /** A DATA frame begins; false when it broke the connection's window and with it the session. */
  beginFrame(length: number, isEnd: boolean): boolean {
    this.#stream = undefined;
    this.#isLastFrame = isEnd;
    this.#left = length;
    this.#window -= length;
    if (this.#window >= 0) return true;
    this.#control.fail(ErrorCode.FlowControlError, "http2.flow_control_error");
    return false;
  }

  /** Tells whose frame it is; without this its payload is only counted. */
  accept(stream: Http2Stream, length: number): void {
    if (stream.isReceived || stream.heldEnd !== "none") {
      this.#table.abort(stream, ErrorCode.StreamClosed);
      return;
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) this.#table.abort(stream, ErrorCode.FlowControlError);
    else this.#stream = stream;
  }

  piece(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    const length = end - start;
    const stream = this.#stream;
    this.#left -= length;
    // Padding is consumed as soon as its frame is complete.
    const padding = isLast ? this.#left : 0;
    const isEnd = isLast && this.#isLastFrame;
    if (!stream || stream.isGone) {
      this.#credit(undefined, length + padding);
      return;
    }
    stream.receivedBytes += length;
    const { contentLength, receivedBytes } = stream;
    if (contentLength >= 0 && (receivedBytes > contentLength || (isEnd && receivedBytes < contentLength))) {
      this.#credit(undefined, length + padding);
      this.#table.malformed(stream.id);
      return;
    }
    if (stream.isPaused || stream.held) {
      stream.held ??= [];
      if (length > 0) stream.held.push(Buffer.from(bytes.subarray(start, end)));
      if (isEnd) stream.heldEnd = "data";
      if (padding > 0) this.#credit(stream, padding);
      return;
    }
    if (isEnd) stream.isReceived = true;
    if (length > 0 || isEnd) stream.deliverData(bytes.subarray(start, end), isEnd);
    this.#credit(stream, length + padding);
    if (isEnd) this.#table.received(stream);
  }

  trailers(stream: Http2Stream, trailers: HeaderList): void {
    if (stream.held) {
      stream.heldEnd = trailers;
      return;
    }
    stream.isReceived = true;
    stream.deliverTrailers(trailers);
    this.#table.received(stream);
  }

  /** Delivers what is held of a stream that is no longer paused. */
  resume(stream: Http2Stream): void {
    const { held } = stream;
    if (!held) return;
    while (held.length > 0 && !stream.isPaused && !stream.isGone) {
      const chunk = held.shift()!;
      const isEnd = held.length === 0 && stream.heldEnd === "data";
      if (isEnd) stream.isReceived = true;
      stream.deliverData(chunk, isEnd);
      this.#credit(stream, chunk.length);
    }
    if (stream.isGone || held.length > 0) return;
    stream.held = undefined;
    const end = stream.heldEnd;
    if (end === "none") return;
    if (!stream.isReceived) {
      stream.isReceived = true;
      if (end === "data") stream.deliverData(nothing, true);
      else stream.deliverTrailers(end);
    }
    this.#table.received(stream);
  }

  /** Gives up what is held of a stream that is over. */
  drop(stream: Http2Stream): void {
    if (stream.held) for (const chunk of stream.held) this.#credit(undefined, chunk.length);
    stream.held = undefined;
  }

  /** Gives back window for data that has been consumed, in steps worth a frame. */
  #credit(stream: Http2Stream | undefined, count: number): void {
    if (count === 0 || this.#control.isClosed) return;
    this.#uncredited += count;
    if (this.#uncredited * 2 >= this.#plan.connectionWindowBytes) {
      this.#writer.write(wordFrame(FrameType.WindowUpdate, 0, this.#uncredited));
      this.#window += this.#uncredited;
      this.#uncredited = 0;
    }
    if (!stream || stream.isGone || stream.isReceived || stream.heldEnd !== "none") return;
    stream.uncredited += count;
    if (stream.uncredited * 2 >= this.#plan.streamWindowBytes) {
      this.#writer.write(wordFrame(FrameType.WindowUpdate, stream.id, stream.uncredited));
      stream.receiveWindow += stream.uncredited;
      stream.uncredited = 0;
    }
  }
}
