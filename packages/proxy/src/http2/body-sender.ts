import type { HeaderList } from "../layer/header-list.ts";
import { TimerEntry, type Timers } from "../net/timers.ts";
import type { FloodGuard } from "./flood-guard.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { defaultWindowBytes, ErrorCode, maxFrameBytes, maxWindowBytes } from "./frames.ts";
import { type Http2Stream, maxPendingBytes } from "./http2-stream.ts";
import type { SessionControl } from "./session-control.ts";
import type { StreamTable } from "./stream-table.ts";

const nothing = Buffer.alloc(0);

/**
 * Sends bodies and trailers as fast as the peer's windows allow; what they do
 * not waits, bounded by `maxPendingBytes` of each stream.
 *
 * @see RFC 9113 §5.2
 */
export class BodySender {
  readonly #writer: FrameWriter;
  readonly #guard: FloodGuard;
  readonly #control: SessionControl;
  readonly #table: StreamTable<Http2Stream>;
  readonly #timers: Timers;
  readonly #flushTimeoutMs: number;
  #window = defaultWindowBytes;
  /** What a new stream may send. */
  #streamWindow = defaultWindowBytes;
  #hasGrown = false;

  /** `flushTimeoutMs`: how long what is complete here may wait without progress; 0 is for ever. */
  constructor(
    writer: FrameWriter,
    guard: FloodGuard,
    control: SessionControl,
    table: StreamTable<Http2Stream>,
    timers: Timers,
    flushTimeoutMs: number,
  ) {
    this.#writer = writer;
    this.#guard = guard;
    this.#control = control;
    this.#table = table;
    this.#timers = timers;
    this.#flushTimeoutMs = flushTimeoutMs;
  }

  open(stream: Http2Stream): void {
    stream.sendWindow = this.#streamWindow;
  }

  data(stream: Http2Stream, chunk: Buffer, end: boolean): void {
    if (end) stream.isSent = true;
    const sent = stream.pending ? 0 : this.#write(stream, chunk, end);
    if (sent < chunk.length) {
      stream.pending ??= [];
      stream.pending.push(Buffer.from(chunk.subarray(sent)));
      stream.pendingBytes += chunk.length - sent;
    }
    if (!end) return;
    if (stream.pending) this.#watch(stream);
    else this.#table.sent(stream);
  }

  trailers(stream: Http2Stream, trailers: HeaderList): void {
    stream.isSent = true;
    if (stream.pending) {
      stream.pendingTrailers = trailers;
      this.#watch(stream);
      return;
    }
    this.#writeTrailers(stream, trailers);
  }

  /** The peer's WINDOW_UPDATE. */
  grow(streamId: number, increment: number): void {
    if (this.#guard.windowUpdate()) this.#control.flood("window updates");
    else if (streamId === 0) this.#growConnection(increment);
    else if (streamId > this.#control.lastStreamId) this.#control.violation();
    else {
      const stream = this.#table.get(streamId);
      if (stream) this.#growStream(stream, increment);
    }
  }

  /** The peer's SETTINGS_INITIAL_WINDOW_SIZE; false when the session has failed for it. @see RFC 9113 §6.9.2 */
  resizeStreams(sizeBytes: number): boolean {
    if (sizeBytes > maxWindowBytes) return this.#overflow();
    const change = sizeBytes - this.#streamWindow;
    this.#streamWindow = sizeBytes;
    for (const stream of this.#table.streams.list()) {
      stream.sendWindow += change;
      if (stream.sendWindow > maxWindowBytes) return this.#overflow();
    }
    if (change > 0) this.#hasGrown = true;
    return true;
  }

  /** Uses windows that `resizeStreams` made larger, once the settings have been acknowledged. */
  flushGrown(): void {
    if (!this.#hasGrown) return;
    this.#hasGrown = false;
    for (const stream of this.#table.streams.list(hasPending)) this.flush(stream);
  }

  #growConnection(increment: number): void {
    this.#window += increment;
    if (increment === 0) this.#control.violation();
    else if (this.#window > maxWindowBytes) this.#overflow();
    else for (const stream of this.#table.streams.list(hasPending)) this.flush(stream);
  }

  #growStream(stream: Http2Stream, increment: number): void {
    stream.sendWindow += increment;
    if (increment === 0) this.#table.abort(stream, ErrorCode.ProtocolError);
    else if (stream.sendWindow > maxWindowBytes) this.#table.abort(stream, ErrorCode.FlowControlError);
    else this.flush(stream);
  }

  #overflow(): false {
    this.#control.fail(ErrorCode.FlowControlError, "http2.flow_control_error");
    return false;
  }

  /** Sends what the windows allow of what waits. */
  flush(stream: Http2Stream): void {
    const { pending } = stream;
    if (!pending || this.#window <= 0 || stream.sendWindow <= 0) return;
    while (pending.length > 0) {
      const chunk = pending[0]!;
      const isLast = stream.isSent && pending.length === 1 && !stream.pendingTrailers;
      const sent = this.#write(stream, chunk, isLast);
      stream.pendingBytes -= sent;
      if (sent < chunk.length) {
        pending[0] = chunk.subarray(sent);
        if (stream.isSent) this.#watch(stream);
        break;
      }
      pending.shift();
    }
    if (pending.length === 0) {
      stream.pending = undefined;
      if (stream.pendingTrailers) {
        this.#writeTrailers(stream, stream.pendingTrailers);
        return;
      }
      if (stream.isSent) {
        this.#table.sent(stream);
        return;
      }
    }
    if (stream.wasBlocked && stream.pendingBytes <= maxPendingBytes >> 1) {
      stream.wasBlocked = false;
      stream.deliverWritable();
    }
  }

  /** Writes as much of `chunk` as the windows allow; the number of bytes. */
  #write(stream: Http2Stream, chunk: Buffer, end: boolean): number {
    const { length } = chunk;
    const allowed = Math.max(0, Math.min(length, this.#window, stream.sendWindow));
    if (length > 0 && allowed === 0) return 0;
    if (length === 0 && !end) return 0;
    let sent = 0;
    do {
      const count = Math.min(allowed - sent, maxFrameBytes);
      const isEnd = end && sent + count === length;
      if (!this.#writer.data(stream.id, chunk, sent, count, isEnd)) return length;
      sent += count;
    } while (sent < allowed);
    this.#window -= sent;
    stream.sendWindow -= sent;
    return sent;
  }

  #writeTrailers(stream: Http2Stream, trailers: HeaderList): void {
    if (trailers.flat.length > 0) this.#writer.headers(stream.id, undefined, trailers.flat, undefined, true);
    else this.#write(stream, nothing, true);
    this.#table.sent(stream);
  }

  /** What is complete here but waits for the peer's window must not wait for ever. */
  #watch(stream: Http2Stream): void {
    stream.flushTimer ??= new TimerEntry({ onTimer: () => this.#table.expired(stream) }, 0);
    this.#timers.start(stream.flushTimer, this.#flushTimeoutMs, this.#timers.clock.monotonicMs());
  }
}

function hasPending(stream: Http2Stream): boolean {
  return stream.pending !== undefined;
}
