import type { HeaderList } from "../layer/header-list.ts";
import type { ResponseHead } from "../layer/message.ts";
import type { RequestReceiver, ResetReason, ServerStream } from "../layer/stream.ts";
import type { Connection } from "../net/connection.ts";
import type { Http1RequestHead } from "./head.ts";

/** What a request's stream asks of the server codec. */
export interface ServerStreamCarrier {
  readonly connection: Connection;
  informational(stream: Http1ServerStream, head: ResponseHead): void;
  respond(stream: Http1ServerStream, head: ResponseHead, end: boolean): void;
  data(stream: Http1ServerStream, chunk: Buffer, end: boolean): void;
  trailers(stream: Http1ServerStream, trailers: HeaderList): void;
  reset(stream: Http1ServerStream): void;
  setRequestPaused(stream: Http1ServerStream, isPaused: boolean): void;
}

type ResponseFraming = "none" | "length" | "chunked" | "close" | "tunnel";

const unanswered: RequestReceiver = {
  onRequestData() {},
  onRequestTrailers() {},
  onRequestReset() {},
  onResponseWritable() {},
};

/** One request and its answer on an HTTP/1 connection. Calls after its end do nothing. */
export class Http1ServerStream implements ServerStream {
  receiver: RequestReceiver = unanswered;
  readonly #codec: ServerStreamCarrier;
  readonly isHead: boolean;
  readonly minorVersion: number;
  readonly upgrade: string;
  mustClose: boolean;
  isRequestDone = true;
  hasResponded = false;
  framing: ResponseFraming = "none";

  constructor(codec: ServerStreamCarrier, head: Http1RequestHead | undefined) {
    this.#codec = codec;
    this.isHead = head?.method === "HEAD";
    this.minorVersion = head?.minorVersion ?? 1;
    this.upgrade = head?.upgrade ?? "";
    this.mustClose = head === undefined || !head.isKeepAlive;
  }

  get isWritable(): boolean {
    return this.#codec.connection.isWritable;
  }

  /** An answer made here may ask for the connection to end; upstream's `connection` never gets this far. */
  closesAfter(head: ResponseHead): boolean {
    if (!head.headers.has("connection")) return false;
    this.mustClose = true;
    return true;
  }

  respondInformational(head: ResponseHead): void {
    this.#codec.informational(this, head);
  }

  respondHead(head: ResponseHead, end: boolean): void {
    this.#codec.respond(this, head, end);
  }

  respondData(chunk: Buffer, end: boolean): void {
    this.#codec.data(this, chunk, end);
  }

  respondTrailers(trailers: HeaderList): void {
    this.#codec.trailers(this, trailers);
  }

  reset(_reason: ResetReason): void {
    this.#codec.reset(this);
  }

  pauseRequest(): void {
    this.#codec.setRequestPaused(this, true);
  }

  resumeRequest(): void {
    this.#codec.setRequestPaused(this, false);
  }
}
