import type { HeaderList } from "../layer/header-list.ts";
import type { ClientStream, ResetReason, ResponseReceiver } from "../layer/stream.ts";
import type { Connection } from "../net/connection.ts";
import type { CloseCause, ConnectionHandler } from "../net/connection-handler.ts";
import { BodyDecoder, type BodySink } from "./body-decoder.ts";
import { type ClientCodecOptions, type ClientStreamCarrier, Http1ClientStream } from "./client-stream.ts";
import { Http1ResponseHead, parseResponseHead } from "./head.ts";
import { HeadReader } from "./head-reader.ts";

/** Who owns an upstream connection. */
export interface ClientCodecEvents {
  /** The exchange on it is over and another may begin. */
  onReusable(codec: Http1ClientCodec): void;
  /** What came is no HTTP/1.1, or not what was asked for; the connection is about to go. */
  onProtocolError(): void;
  /** It is closed, or closing, and takes no more requests. Comes exactly once. `isActive`: an answer was not complete. */
  onGone(codec: Http1ClientCodec, cause: CloseCause | undefined, isActive: boolean): void;
}

type State = "idle" | "head" | "body" | "tunnel" | "closed";

const nothing = Buffer.alloc(0);

/**
 * The client side of HTTP/1.1 on one connection: one request at a time. Anything
 * the upstream sends that is not the answer to the request in progress closes
 * the connection, so that no answer can be taken for another's.
 *
 * @see RFC 9112
 */
export class Http1ClientCodec implements ConnectionHandler, BodySink, ClientStreamCarrier {
  readonly connection: Connection;
  readonly options: ClientCodecOptions;
  /** Requests begun on this connection. */
  requestCount = 0;
  readonly #events: ClientCodecEvents;
  readonly #reader: HeadReader;
  readonly #decoder: BodyDecoder;
  #state: State = "idle";
  #stream: Http1ClientStream | undefined;
  #isGone = false;

  constructor(connection: Connection, options: ClientCodecOptions, events: ClientCodecEvents) {
    this.connection = connection;
    this.options = options;
    this.#events = events;
    this.#reader = new HeadReader(options.limits, false);
    this.#decoder = new BodyDecoder(this, options.limits);
  }

  get isIdle(): boolean {
    return this.#state === "idle" && this.connection.isOpen;
  }

  newStream(receiver: ResponseReceiver): ClientStream {
    this.requestCount += 1;
    this.#state = "head";
    this.#stream = new Http1ClientStream(this, receiver, this.requestCount === 1);
    return this.#stream;
  }

  onRead(bytes: Buffer, start: number, end: number): void {
    let at = start;
    const stream = this.#stream;
    if (stream) stream.hasResponseBytes = true;
    while (at < end) {
      switch (this.#state) {
        case "head": {
          const next = this.#reader.read(bytes, at, end);
          if (next >= 0) this.#begin();
          else if (this.#reader.error) this.#fail("protocol-error");
          at = next < 0 ? end : next;
          break;
        }
        case "body":
          at = this.#decoder.decode(bytes, at, end);
          if (this.#decoder.hasFailed) this.#fail("protocol-error");
          break;
        case "tunnel":
          this.#stream?.receiver.onResponseData(bytes.subarray(at, end), false);
          at = end;
          break;
        default:
          // Bytes nobody asked for.
          this.#leave();
          at = end;
      }
      if (this.#isComplete()) {
        if (at < end) this.#leave();
        else this.#complete();
        return;
      }
    }
  }

  onEnd(): void {
    const stream = this.#stream;
    if (this.#state === "tunnel" && stream) {
      stream.isResponseDone = true;
      stream.receiver.onResponseData(nothing, true);
      if (stream.isRequestDone) this.#leave();
      return;
    }
    if (this.#state === "body" && this.#decoder.endsWithConnection) {
      this.#decoder.finish();
      this.#leave();
      return;
    }
    // A body cut short is the upstream's error, not a connection that failed.
    if (this.#state === "body" || this.#reader.hasPartial) this.#fail("protocol-error");
    else this.connection.destroy({ kind: "remote" });
  }

  onWritable(): void {
    this.#stream?.receiver.onRequestWritable();
  }

  onClosed(cause: CloseCause): void {
    const stream = this.#stream;
    this.#stream = undefined;
    const wasHead = this.#state === "head";
    this.#state = "closed";
    const isActive = stream?.isResponseDone === false;
    this.#gone(cause, isActive);
    if (isActive) {
      stream.receiver.onResponseReset(
        "connection-termination",
        wasHead && !stream.hasResponseBytes && stream.isUnsent,
      );
    }
  }

  onBodyData(chunk: Buffer, end: boolean): void {
    const stream = this.#stream;
    if (!stream) return;
    if (end) stream.isResponseDone = true;
    stream.receiver.onResponseData(chunk, end);
  }

  onBodyTrailers(trailers: HeaderList): void {
    const stream = this.#stream;
    if (!stream) return;
    stream.isResponseDone = true;
    if (this.options.keepsTrailers) stream.receiver.onResponseTrailers(trailers);
    else stream.receiver.onResponseData(nothing, true);
  }

  /** The request's owner gave up. The connection cannot be used again. */
  abandon(stream: Http1ClientStream): void {
    if (stream !== this.#stream) return;
    this.#leave();
  }

  #begin(): void {
    const stream = this.#stream!;
    const head = parseResponseHead(this.#reader.text, this.options.limits);
    this.#reader.text = "";
    if (!(head instanceof Http1ResponseHead)) {
      this.#fail("protocol-error");
      return;
    }
    const status = head.status;
    const isTunnel = stream.upgrade === "connect" ? status >= 200 && status < 300 : status === 101;
    if (isTunnel) {
      if (stream.upgrade === "") {
        this.#fail("protocol-error");
        return;
      }
      this.#state = "tunnel";
      stream.receiver.onResponseHead(head, false);
      stream.openTunnel();
      return;
    }
    if (status < 200) {
      stream.receiver.onInformational(head);
      return;
    }
    // A body where there can be none: its reader and its writer would not agree where it ends.
    if (status === 204 && (head.isChunked || head.contentLength > 0)) {
      this.#fail("protocol-error");
      return;
    }
    stream.isKeepAlive = head.isKeepAlive;
    const hasNoBody =
      stream.isHead || status === 204 || status === 304 || (head.contentLength === 0 && !head.isChunked);
    if (hasNoBody) {
      stream.isResponseDone = true;
      stream.receiver.onResponseHead(head, true);
      return;
    }
    this.#state = "body";
    this.#decoder.begin(head);
    if (this.#decoder.endsWithConnection) stream.isKeepAlive = false;
    stream.receiver.onResponseHead(head, false);
  }

  #isComplete(): boolean {
    const stream = this.#stream;
    return stream?.isResponseDone === true && this.#state !== "tunnel";
  }

  #complete(): void {
    const stream = this.#stream!;
    if (!stream.isKeepAlive || !stream.isRequestDone) {
      this.#leave();
      return;
    }
    this.#stream = undefined;
    this.#state = "idle";
    if (stream.isPaused) this.connection.resume();
    this.#events.onReusable(this);
  }

  #fail(reason: ResetReason): void {
    const stream = this.#stream;
    this.#events.onProtocolError();
    this.#leave();
    stream?.receiver.onResponseReset(reason, false);
  }

  /** Closes without telling the stream, whose owner knows. */
  #leave(): void {
    const isActive = this.#stream?.isResponseDone === false;
    this.#stream = undefined;
    this.#state = "closed";
    this.#gone(undefined, isActive);
    this.connection.destroy();
  }

  #gone(cause: CloseCause | undefined, isActive: boolean): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#events.onGone(this, cause, isActive);
  }
}
