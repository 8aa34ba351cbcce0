import type { HeaderList } from "../layer/header-list.ts";
import type { ResetReason } from "../layer/stream.ts";
import type { TimerEntry } from "../net/timers.ts";

/** Unsent bytes of one stream, held back by the peer's window, that make it unwritable. */
export const maxPendingBytes = 65536;

/** What a stream asks of the session that carries it. */
export interface StreamCarrier {
  readonly isWritable: boolean;
  resumeReceiving(stream: Http2Stream): void;
}

/** One stream as its session sees it: both directions with their windows, and what waits in each. */
export abstract class Http2Stream {
  id = 0;
  openedMs = 0;
  /** No longer known to the session: neither reads nor writes happen. */
  isGone = false;
  /** END_STREAM arrived, and everything before it was delivered. */
  isReceived = false;
  /** Everything to be sent is written or waits in `pending`. */
  isSent = false;
  /** Of the body coming in: octets announced, or -1, and received. */
  contentLength = -1;
  receivedBytes = 0;

  /** What the peer may still send, and what of it has been consumed but not given back. */
  receiveWindow = 0;
  uncredited = 0;
  isPaused = false;
  /** Data that arrived while paused, with the end of the message. */
  held: Buffer[] | undefined = undefined;
  heldEnd: "none" | "data" | HeaderList = "none";

  /** What may still be sent; negative after the peer reduced its window. */
  sendWindow = 0;
  pending: Buffer[] | undefined = undefined;
  pendingBytes = 0;
  pendingTrailers: HeaderList | undefined = undefined;
  wasBlocked = false;
  flushTimer: TimerEntry | undefined = undefined;
  readonly #carrier: StreamCarrier;

  constructor(carrier: StreamCarrier) {
    this.#carrier = carrier;
  }

  abstract deliverData(chunk: Buffer, end: boolean): void;
  abstract deliverTrailers(trailers: HeaderList): void;
  /** The stream ended early. `isUnprocessed`: the peer provably did not act on it. */
  abstract deliverReset(reason: ResetReason, isUnprocessed: boolean): void;
  abstract deliverWritable(): void;

  get isWritable(): boolean {
    if (this.pendingBytes > maxPendingBytes) this.wasBlocked = true;
    return !this.wasBlocked && this.#carrier.isWritable;
  }

  protected pauseReceiving(): void {
    this.isPaused = true;
  }

  protected resumeReceiving(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    if (!this.isGone) this.#carrier.resumeReceiving(this);
  }
}
