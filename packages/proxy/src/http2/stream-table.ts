import type { ResetReason } from "../layer/stream.ts";
import type { FloodGuard } from "./flood-guard.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { ErrorCode, FrameType, wordFrame } from "./frames.ts";
import type { Http2Stream } from "./http2-stream.ts";
import type { SessionControl } from "./session-control.ts";
import { StreamsById } from "./streams-by-id.ts";

/** Streams reset here whose frames may still be under way. */
const maxRemembered = 256;

/** How the streams of a session end beyond their frames. */
export interface StreamEndings {
  /** A server's stream is over once all is sent, a client's once all is received. */
  readonly endsWhenSent: boolean;
  /** A malformed message ends its stream only, not the connection. */
  readonly keepsConnectionOnBadMessage: boolean;
  /** How long a stream has been open. */
  ageMs(stream: Http2Stream): number;
  /** The stream was taken off the table. */
  onForgotten(stream: Http2Stream): void;
}

/**
 * The streams of one session and how each of them ends; whoever ends it, once.
 *
 * @see RFC 9113 §5.1
 */
export class StreamTable<S extends Http2Stream> {
  readonly streams = new StreamsById<S>();
  readonly #writer: FrameWriter;
  readonly #guard: FloodGuard;
  readonly #control: SessionControl;
  readonly #endings: StreamEndings;
  readonly #resetHere = new Set<number>();

  constructor(writer: FrameWriter, guard: FloodGuard, control: SessionControl, endings: StreamEndings) {
    this.#writer = writer;
    this.#guard = guard;
    this.#control = control;
    this.#endings = endings;
  }

  get(streamId: number): S | undefined {
    return this.streams.get(streamId);
  }

  /** Whether frames of this stream may still arrive although it was reset here. */
  wasReset(streamId: number): boolean {
    return this.#resetHere.has(streamId);
  }

  /** The last of what is to be sent is written. A client still sending after its answer is told to stop. */
  sent(stream: S): void {
    stream.isSent = true;
    stream.pending = undefined;
    if (!stream.isReceived) {
      if (!this.#endings.endsWhenSent) return;
      this.sendReset(stream.id, ErrorCode.NoError);
    }
    this.forget(stream);
  }

  /** The last of what is received was delivered. */
  received(stream: S): void {
    if (stream.isGone) return;
    if (stream.isSent && !stream.pending) this.forget(stream);
    else if (!this.#endings.endsWhenSent) {
      this.sendReset(stream.id, ErrorCode.NoError);
      this.forget(stream);
    }
  }

  /** What is complete here waited too long for the peer's window. */
  expired(stream: S): void {
    this.sendReset(stream.id, ErrorCode.Cancel);
    this.forget(stream);
    stream.deliverReset("local-reset", false);
  }

  /** Ends one stream for an error of the peer's: it costs us what a reset of its own would. */
  abort(stream: S, code: number): void {
    this.sendReset(stream.id, code);
    this.forget(stream);
    stream.deliverReset("protocol-error", false);
    this.countReset(stream);
  }

  /** A client that has streams reset as soon as they are open, by whatever means, is flooding. */
  countReset(stream: S): void {
    const { endsWhenSent } = this.#endings;
    if (endsWhenSent && this.#guard.resetEarly(this.#endings.ageMs(stream))) {
      this.#control.flood("premature resets");
    }
  }

  abortById(streamId: number, code: number): void {
    const stream = this.streams.get(streamId);
    if (stream) this.abort(stream, code);
    else this.sendReset(streamId, code);
  }

  /** A message that HTTP does not allow, in well-formed frames. @see RFC 9113 §8.1.1 */
  malformed(streamId: number): void {
    if (this.#endings.keepsConnectionOnBadMessage) this.abortById(streamId, ErrorCode.ProtocolError);
    else this.#control.fail(ErrorCode.ProtocolError, "http2.violation.of.messaging.rule");
  }

  /** The stream is over without another frame. */
  forget(stream: S): void {
    if (stream.isGone) return;
    stream.isGone = true;
    stream.flushTimer?.stop();
    stream.pending = undefined;
    this.#guard.streamClosed();
    this.streams.delete(stream.id);
    this.#endings.onForgotten(stream);
  }

  /** All streams end with the connection. */
  drop(reason: ResetReason): void {
    for (const stream of this.streams.list()) {
      this.forget(stream);
      stream.deliverReset(reason, false);
    }
  }

  sendReset(streamId: number, code: number): void {
    if (this.#resetHere.size >= maxRemembered) {
      for (const oldest of this.#resetHere) {
        this.#resetHere.delete(oldest);
        break;
      }
    }
    this.#resetHere.add(streamId);
    this.#writer.control(wordFrame(FrameType.RstStream, streamId, code));
  }
}
