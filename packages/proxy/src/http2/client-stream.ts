import type { HeaderList } from "../layer/header-list.ts";
import type { RequestHead } from "../layer/message.ts";
import type { ClientStream, ResetReason, ResponseReceiver } from "../layer/stream.ts";
import { Http2Stream, type StreamCarrier } from "./http2-stream.ts";

/** What a request's stream asks of the client codec. */
export interface ClientStreamCarrier extends StreamCarrier {
  sendHead(stream: Http2ClientStream, head: RequestHead, end: boolean, extra?: readonly string[]): void;
  sendData(stream: Http2ClientStream, chunk: Buffer, end: boolean): void;
  sendTrailers(stream: Http2ClientStream, trailers: HeaderList): void;
  abandon(stream: Http2ClientStream): void;
}

/** One request and its answer on an upstream HTTP/2 connection. Calls after its end do nothing. */
export class Http2ClientStream extends Http2Stream implements ClientStream {
  readonly receiver: ResponseReceiver;
  readonly isFirstOnConnection: boolean;
  hasResponseBytes = false;
  /** The final head arrived: what follows are data and trailers. */
  hasHead = false;
  isHead = false;
  upgrade = "";
  readonly #codec: ClientStreamCarrier;

  constructor(codec: ClientStreamCarrier, receiver: ResponseReceiver, isFirstOnConnection: boolean) {
    super(codec);
    this.#codec = codec;
    this.receiver = receiver;
    this.isFirstOnConnection = isFirstOnConnection;
  }

  deliverData(chunk: Buffer, end: boolean): void {
    this.receiver.onResponseData(chunk, end);
  }

  deliverTrailers(trailers: HeaderList): void {
    this.receiver.onResponseTrailers(trailers);
  }

  deliverReset(reason: ResetReason, isUnprocessed: boolean): void {
    this.receiver.onResponseReset(reason, isUnprocessed);
  }

  deliverWritable(): void {
    this.receiver.onRequestWritable();
  }

  sendHead(head: RequestHead, end: boolean, extra?: readonly string[]): void {
    this.isHead = head.method === "HEAD";
    this.#codec.sendHead(this, head, end, extra);
  }

  sendData(chunk: Buffer, end: boolean): void {
    if (!this.isGone && !this.isSent) this.#codec.sendData(this, chunk, end);
  }

  sendTrailers(trailers: HeaderList): void {
    if (!this.isGone && !this.isSent) this.#codec.sendTrailers(this, trailers);
  }

  reset(_reason: ResetReason): void {
    if (!this.isGone) this.#codec.abandon(this);
  }

  pauseResponse(): void {
    this.pauseReceiving();
  }

  resumeResponse(): void {
    this.resumeReceiving();
  }
}
