import type { HeaderList } from "../layer/header-list.ts";
import type { ResponseHead } from "../layer/message.ts";
import type { RequestReceiver, ResetReason, ServerStream } from "../layer/stream.ts";
import { Http2Stream, type StreamCarrier } from "./http2-stream.ts";

/** What a request's stream asks of the server codec. */
export interface ServerStreamCarrier extends StreamCarrier {
  respondInformational(stream: Http2ServerStream, head: ResponseHead): void;
  respondHead(stream: Http2ServerStream, head: ResponseHead, end: boolean): void;
  sendData(stream: Http2ServerStream, chunk: Buffer, end: boolean): void;
  sendTrailers(stream: Http2ServerStream, trailers: HeaderList): void;
  resetStream(stream: Http2ServerStream, reason: ResetReason): void;
}

const unanswered: RequestReceiver = {
  onRequestData() {},
  onRequestTrailers() {},
  onRequestReset() {},
  onResponseWritable() {},
};

/** One request and its answer on an HTTP/2 connection. Calls after its end do nothing. */
export class Http2ServerStream extends Http2Stream implements ServerStream {
  receiver: RequestReceiver = unanswered;
  readonly isHead: boolean;
  readonly #codec: ServerStreamCarrier;

  constructor(codec: ServerStreamCarrier, isHead: boolean) {
    super(codec);
    this.#codec = codec;
    this.isHead = isHead;
  }

  deliverData(chunk: Buffer, end: boolean): void {
    this.receiver.onRequestData(chunk, end);
  }

  deliverTrailers(trailers: HeaderList): void {
    this.receiver.onRequestTrailers(trailers);
  }

  deliverReset(_reason: ResetReason): void {
    // Nothing can be answered any more, whoever is to blame.
    this.receiver.onRequestReset("remote-reset");
  }

  deliverWritable(): void {
    this.receiver.onResponseWritable();
  }

  respondInformational(head: ResponseHead): void {
    if (!this.isGone && !this.isSent) this.#codec.respondInformational(this, head);
  }

  respondHead(head: ResponseHead, end: boolean): void {
    if (!this.isGone && !this.isSent) this.#codec.respondHead(this, head, end);
  }

  respondData(chunk: Buffer, end: boolean): void {
    if (!this.isGone && !this.isSent) this.#codec.sendData(this, chunk, end);
  }

  respondTrailers(trailers: HeaderList): void {
    if (!this.isGone && !this.isSent) this.#codec.sendTrailers(this, trailers);
  }

  reset(reason: ResetReason): void {
    if (!this.isGone) this.#codec.resetStream(this, reason);
  }

  pauseRequest(): void {
    this.pauseReceiving();
  }

  resumeRequest(): void {
    this.resumeReceiving();
  }
}
