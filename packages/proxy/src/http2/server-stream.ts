import type { HeaderList } from "../layer/header-list.ts";
import type { ResponseHead } from "../layer/message.ts";
import type { RequestReceiver, ResetReason, ServerStream } from "../layer/stream.ts";
import type { TimerEntry } from "../net/timers.ts";
import type { Http2RequestHead } from "./request-fields.ts";

/** What a stream asks of the connection that carries it. */
export interface StreamCarrier {
  readonly isWritable: boolean;
  respondHead(stream: Http2ServerStream, head: ResponseHead, end: boolean): void;
  respondInformational(stream: Http2ServerStream, head: ResponseHead): void;
  respondData(stream: Http2ServerStream, chunk: Buffer, end: boolean): void;
  respondTrailers(stream: Http2ServerStream, trailers: HeaderList): void;
  resetStream(stream: Http2ServerStream, reason: ResetReason): void;
  resumeRequest(stream: Http2ServerStream): void;
}

const unanswered: RequestReceiver = {
  onRequestData() {},
  onRequestTrailers() {},
  onRequestReset() {},
  onResponseWritable() {},
};

/** Unsent bytes of one stream, held back by the client's window, that make it unwritable. */
export const maxPendingBytes = 65536;

/** One request and its answer on an HTTP/2 connection. Calls after its end do nothing. */
export class Http2ServerStream implements ServerStream {
  receiver: RequestReceiver = unanswered;
  readonly id: number;
  readonly openedMs: number;
  readonly isHead: boolean;
  readonly #carrier: StreamCarrier;
  /** No longer known to the connection: neither reads nor writes happen. */
  isGone = false;
  /** END_STREAM arrived, and everything before it. */
  isRequestDone = false;
  /** The whole answer is written or waits in `pending`. */
  isAnswered = false;
  /** Of the request body: octets announced, or -1, and received. */
  readonly contentLength: number;
  receivedBytes = 0;

  /** What the client may still send, and what of it has been consumed but not given back. */
  receiveWindow: number;
  uncredited = 0;
  isPaused = false;
  /** Request data that arrived while paused, with the end of the request. */
  held: Buffer[] | undefined = undefined;
  heldEnd: "none" | "data" | HeaderList = "none";

  /** What may still be sent; negative after the client reduced its window. */
  sendWindow: number;
  pending: Buffer[] | undefined = undefined;
  pendingBytes = 0;
  pendingTrailers: HeaderList | undefined = undefined;
  wasBlocked = false;
  flushTimer: TimerEntry | undefined = undefined;

  constructor(
    carrier: StreamCarrier,
    id: number,
    head: Http2RequestHead,
    openedMs: number,
    receiveWindow: number,
    sendWindow: number,
  ) {
    this.#carrier = carrier;
    this.id = id;
    this.openedMs = openedMs;
    this.isHead = head.method === "HEAD";
    this.contentLength = head.contentLength;
    this.receiveWindow = receiveWindow;
    this.sendWindow = sendWindow;
  }

  get isWritable(): boolean {
    if (this.pendingBytes > maxPendingBytes) this.wasBlocked = true;
    return !this.wasBlocked && this.#carrier.isWritable;
  }

  respondInformational(head: ResponseHead): void {
    if (!this.isGone && !this.isAnswered) this.#carrier.respondInformational(this, head);
  }

  respondHead(head: ResponseHead, end: boolean): void {
    if (!this.isGone && !this.isAnswered) this.#carrier.respondHead(this, head, end);
  }

  respondData(chunk: Buffer, end: boolean): void {
    if (!this.isGone && !this.isAnswered) this.#carrier.respondData(this, chunk, end);
  }

  respondTrailers(trailers: HeaderList): void {
    if (!this.isGone && !this.isAnswered) this.#carrier.respondTrailers(this, trailers);
  }

  reset(reason: ResetReason): void {
    if (!this.isGone) this.#carrier.resetStream(this, reason);
  }

  pauseRequest(): void {
    this.isPaused = true;
  }

  resumeRequest(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    if (!this.isGone) this.#carrier.resumeRequest(this);
  }
}
