import type { Socket } from "node:net";
import { handleOf } from "../net/stream-binding.ts";
import { TimerEntry, type Timers } from "../net/timers.ts";

export interface FirstBytesEvents {
  /** Nothing decisive came in time. */
  onTimeout(bytes: Buffer): void;
  /** The client left. */
  onGone(): void;
}

/** Sees all bytes so far, again each time more have come; true when it has seen enough. */
export type Judge = (bytes: Buffer) => boolean;

/** More than any judge needs: the longest PROXY header is 64 KiB and 15 bytes, and one read as much again. */
const maxBytes = 160 * 1024;

/**
 * Reads the beginning of a connection for those who must know it before its
 * filter chain is chosen, within one time limit for all of them. Ends in
 * exactly one of: the last judge is satisfied and `release` was called, or one
 * of the events.
 */
export class FirstBytes {
  readonly #socket: Socket;
  readonly #events: FirstBytesEvents;
  readonly #timer: TimerEntry;
  #bytes: Buffer;
  #judge: Judge | undefined;
  #isReading = false;
  #isOver = false;

  /** `initial` has been read already. A timeout of 0 waits for ever. */
  constructor(
    socket: Socket,
    options: { readonly timers: Timers; readonly timeoutMs: number; readonly initial: Buffer },
    events: FirstBytesEvents,
  ) {
    const { timers, timeoutMs, initial } = options;
    this.#socket = socket;
    this.#bytes = initial;
    this.#events = events;
    this.#timer = new TimerEntry({ onTimer: () => this.#onTimeout() }, 0);
    timers.start(this.#timer, timeoutMs, timers.clock.monotonicMs());
    socket.on("end", this.#onGone);
    socket.on("close", this.#onGone);
    socket.on("error", this.#onGone);
  }

  /** Asks `judge` about what has been read and, until it is satisfied, about more. */
  read(judge: Judge): void {
    this.#judge = judge;
    if (this.#bytes.length > 0 && judge(this.#bytes)) return;
    if (this.#isOver || this.#judge !== judge || this.#isReading) return;
    this.#isReading = true;
    this.#socket.on("data", this.#onData);
    this.#socket.resume();
  }

  /** What has been read and not consumed. */
  peek(): Buffer {
    return this.#bytes;
  }

  /** Forgets what a judge has consumed. */
  consume(length: number): void {
    this.#bytes = this.#bytes.subarray(length);
  }

  /** Stops reading, and gives what has been read and not consumed: it must be handed on. */
  release(): Buffer {
    this.#isOver = true;
    this.#timer.stop();
    const socket = this.#socket;
    socket.off("data", this.#onData);
    socket.off("end", this.#onGone);
    socket.off("close", this.#onGone);
    socket.off("error", this.#onGone);
    socket.pause();
    const handle = handleOf(socket);
    if (handle) {
      handle.reading = false;
      handle.readStop();
    }
    return this.#bytes;
  }

  readonly #onData = (chunk: Buffer) => {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    if (!this.#judge!(this.#bytes) && this.#bytes.length > maxBytes) this.#onGone();
  };

  readonly #onGone = () => {
    if (this.#isOver) return;
    this.release();
    this.#socket.destroy();
    this.#events.onGone();
  };

  #onTimeout(): void {
    this.#events.onTimeout(this.release());
  }
}
