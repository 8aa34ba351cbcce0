import type { HeaderList } from "../layer/header-list.ts";
import type { RequestHead, ResponseHead } from "../layer/message.ts";
import type { ServerStream } from "../layer/stream.ts";
import { checkUnderscores, type UnderscoreAction } from "../layer/underscored-fields.ts";
import type { Connection } from "../net/connection.ts";
import type { CloseCause, ConnectionHandler } from "../net/connection-handler.ts";
import { BodyDecoder, type BodySink } from "./body-decoder.ts";
import {
  chunkHead,
  codecLines,
  lastChunk,
  upgradeLines,
  writeResponseHead,
  writeTrailers,
} from "./encode.ts";
import { type HeadError, type HeadLimits, Http1RequestHead, lowVersion, parseRequestHead } from "./head.ts";
import { HeadReader } from "./head-reader.ts";
import { Http1ServerStream, type ServerStreamCarrier } from "./server-stream.ts";

export interface ServerCodecOptions {
  readonly limits: HeadLimits;
  readonly isTls: boolean;
  readonly acceptHttp10: boolean;
  /** Taken for the host an HTTP/1.0 request does not name; "" refuses such requests. */
  readonly defaultHttp10Host: string;
  readonly underscores: UnderscoreAction;
  /** `expect: 100-continue` is passed on, not answered here. */
  readonly proxies100: boolean;
  readonly properCaseHeaders: boolean;
  /** Otherwise such a target is no path, and matches no route. */
  readonly allowsAbsoluteTargets: boolean;
  /** Without it trailers are read and dropped, both ways, as Envoy does. */
  readonly keepsTrailers: boolean;
}

/** What a server codec tells the layer above it. */
export interface ServerCodecEvents {
  /** A request began; `stream.receiver` must be set before this returns unless the stream has been answered. */
  onRequest(stream: ServerStream, head: RequestHead, end: boolean, info: RequestInfo): void;
  /** The bytes are no request: answer on `stream`; the connection closes afterwards. */
  onBadRequest(stream: ServerStream, error: HeadError): void;
  /** The first byte of a head arrived. */
  onHeadStarted(): void;
  /** The head of an answer is about to be sent: the last moment to `drain`. */
  onAnswer(): void;
  /** No request is in progress any more. */
  onIdle(): void;
  /** `isActive`: a request was not over. */
  onConnectionClosed(cause: CloseCause, isActive: boolean): void;
}

export interface RequestInfo {
  readonly headBytes: number;
  readonly protocol: "HTTP/1.0" | "HTTP/1.1";
}

type State = "head" | "body" | "waiting" | "tunnel" | "closed";

const nothing = Buffer.alloc(0);
const unexpectedUnderscore: HeadError = { status: 400, details: "http1.unexpected_underscore" };
const schemeMismatch: HeadError = { status: 403, details: "http1.invalid_scheme" };
/**
 * The server side of HTTP/1.1 on one connection: requests one at a time and in
 * order, answers framed by what the client understands. A pipelined request
 * waits, with reading stopped, until the one before it is answered.
 *
 * @see RFC 9112
 */
export class Http1ServerCodec implements ConnectionHandler, BodySink, ServerStreamCarrier {
  readonly connection: Connection;
  /** Answers from now on close the connection. */
  isDraining = false;
  readonly #options: ServerCodecOptions;
  readonly #events: ServerCodecEvents;
  readonly #reader: HeadReader;
  readonly #decoder: BodyDecoder;
  #state: State = "head";
  #stream: Http1ServerStream | undefined;
  #waiting: Buffer | undefined;
  #isConsuming = false;
  #isRequestPaused = false;

  constructor(connection: Connection, options: ServerCodecOptions, events: ServerCodecEvents) {
    this.connection = connection;
    this.#options = options;
    this.#events = events;
    this.#reader = new HeadReader(options.limits, true);
    this.#decoder = new BodyDecoder(this, options.limits);
  }

  get isIdle(): boolean {
    return this.#stream === undefined && this.#state === "head" && !this.#reader.hasPartial;
  }

  onRead(bytes: Buffer, start: number, end: number): void {
    if (this.#state === "waiting") this.#hold(bytes, start, end);
    else this.#consume(bytes, start, end);
  }

  onEnd(): void {
    if (this.#state === "tunnel") {
      this.#stream?.receiver.onRequestData(nothing, true);
      return;
    }
    // Like Envoy: a client that stops sending has gone.
    this.connection.destroy({ kind: "remote" });
  }

  onWritable(): void {
    this.#stream?.receiver.onResponseWritable();
  }

  onClosed(cause: CloseCause): void {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#state = "closed";
    stream?.receiver.onRequestReset("remote-reset");
    this.#events.onConnectionClosed(cause, stream !== undefined);
  }

  onBodyData(chunk: Buffer, end: boolean): void {
    const stream = this.#stream;
    if (!stream) return;
    if (end) stream.isRequestDone = true;
    stream.receiver.onRequestData(chunk, end);
  }

  onBodyTrailers(trailers: HeaderList): void {
    const stream = this.#stream;
    if (!stream) return;
    stream.isRequestDone = true;
    checkUnderscores(trailers, this.#options.underscores === "allow" ? "allow" : "drop");
    if (this.#options.keepsTrailers) stream.receiver.onRequestTrailers(trailers);
    else stream.receiver.onRequestData(nothing, true);
  }

  #consume(bytes: Buffer, start: number, end: number): void {
    let at = start;
    this.#isConsuming = true;
    while (at < end) {
      switch (this.#state) {
        case "head": {
          const wasPartial = this.#reader.hasPartial;
          const next = this.#reader.read(bytes, at, end);
          if (next >= 0) this.#begin(next - at);
          else if (this.#reader.error) this.#refuse(this.#reader.error);
          else if (!wasPartial && this.#reader.hasPartial) this.#events.onHeadStarted();
          at = next < 0 ? end : next;
          break;
        }
        case "body":
          at = this.#decoder.decode(bytes, at, end);
          if (this.#decoder.hasFailed) this.#refuseBody();
          else if (this.#decoder.isDone && (this.#state as State) === "body") this.#state = "waiting";
          break;
        case "waiting":
          this.#hold(bytes, at, end);
          at = end;
          break;
        case "tunnel":
          this.#stream?.receiver.onRequestData(bytes.subarray(at, end), false);
          at = end;
          break;
        case "closed":
          at = end;
      }
    }
    this.#isConsuming = false;
  }

  /** Keeps bytes of the next request; at most one read's worth, because reading stops. */
  #hold(bytes: Buffer, start: number, end: number): void {
    const copy = Buffer.from(bytes.subarray(start, end));
    this.#waiting = this.#waiting ? Buffer.concat([this.#waiting, copy]) : copy;
    this.connection.pause();
  }

  #begin(headBytes: number): void {
    const head = parseRequestHead(this.#reader.text, this.#options.limits);
    this.#reader.text = "";
    if (!(head instanceof Http1RequestHead)) {
      this.#refuse(head);
      return;
    }
    if (head.minorVersion === 0 && !this.#options.acceptHttp10) {
      this.#refuse(lowVersion);
      return;
    }
    if (head.minorVersion === 0 && !head.hasHost && head.authority === "") {
      head.authority = this.#options.defaultHttp10Host;
    }
    if (!checkUnderscores(head.headers, this.#options.underscores)) {
      this.#refuse(unexpectedUnderscore);
      return;
    }
    if (head.absoluteTarget !== "" && !this.#options.allowsAbsoluteTargets) head.path = head.absoluteTarget;
    else if (head.targetIsHttps && !this.#options.isTls) {
      this.#refuse(schemeMismatch);
      return;
    }
    if (this.#options.isTls) head.scheme = "https";
    const hasBody = head.isChunked || head.contentLength > 0;
    const answersContinue = head.expectsContinue && !this.#options.proxies100;
    if (answersContinue) head.headers.remove("expect");
    if (hasBody) head.upgrade = "";
    const stream = new Http1ServerStream(this, head);
    this.#stream = stream;
    stream.isRequestDone = !hasBody;
    if (hasBody) {
      this.#decoder.begin(head);
      this.#state = "body";
      if (answersContinue && head.minorVersion === 1) this.connection.writeLatin1(continueResponse);
    } else this.#state = "waiting";
    this.#events.onRequest(stream, head, !hasBody && head.upgrade === "", {
      headBytes,
      protocol: head.minorVersion === 1 ? "HTTP/1.1" : "HTTP/1.0",
    });
  }

  /** Answers instead of waiting for the rest of a head. */
  refuseHead(error: HeadError): void {
    if (this.#state === "head" && !this.#stream) this.#refuse(error);
  }

  #refuse(error: HeadError): void {
    const stream = new Http1ServerStream(this, undefined);
    this.#stream = stream;
    this.#state = "closed";
    this.#events.onBadRequest(stream, error);
  }

  /** A broken body: answered when nothing has been sent yet, otherwise the connection just ends. */
  #refuseBody(): void {
    const stream = this.#stream;
    this.#state = "closed";
    if (!stream) return;
    stream.mustClose = true;
    stream.receiver.onRequestReset("protocol-error");
    if (this.#stream === stream) this.reset(stream);
  }

  informational(stream: Http1ServerStream, head: ResponseHead): void {
    if (stream !== this.#stream || stream.minorVersion === 0) return;
    writeResponseHead(this.connection, head.status, head.headers.flat, "", false);
  }

  respond(stream: Http1ServerStream, head: ResponseHead, end: boolean): void {
    if (stream !== this.#stream) return;
    const status = head.status;
    const flat = head.headers.flat;
    stream.hasResponded = true;
    const { properCaseHeaders } = this.#options;
    if (stream.upgrade !== "" && (status === 101 || (stream.upgrade === "connect" && status < 300))) {
      stream.framing = "tunnel";
      const lines = status === 101 ? upgradeLines(stream.upgrade, properCaseHeaders) : "";
      writeResponseHead(this.connection, status, flat, lines, properCaseHeaders);
      this.#openTunnel();
      return;
    }
    if (status === 204) head.headers.remove("content-length");
    if (stream.closesAfter(head)) head.headers.remove("connection");
    const hasNoBody = stream.isHead || status === 204 || status === 304;
    // What follows a refused upgrade may be of the other protocol.
    if ((!stream.isRequestDone && end) || stream.upgrade !== "") stream.mustClose = true;
    const lines = codecLines(properCaseHeaders);
    let ownLines = "";
    if (hasNoBody) stream.framing = "none";
    else if (head.headers.has("content-length")) stream.framing = "length";
    else if (end) {
      stream.framing = "none";
      ownLines = lines.noBody;
    } else if (stream.minorVersion === 1) {
      stream.framing = "chunked";
      ownLines = lines.chunked;
    } else {
      stream.framing = "close";
      stream.mustClose = true;
    }
    this.#events.onAnswer();
    if (this.isDraining) stream.mustClose = true;
    if (stream.mustClose) ownLines += lines.close;
    else if (stream.minorVersion === 0) ownLines += lines.keepAlive;
    writeResponseHead(this.connection, status, flat, ownLines, properCaseHeaders);
    if (end) this.#finish(stream);
  }

  data(stream: Http1ServerStream, chunk: Buffer, end: boolean): void {
    if (stream !== this.#stream) return;
    const length = chunk.length;
    switch (stream.framing) {
      case "chunked":
        if (length > 0) {
          this.connection.writeLatin1(chunkHead(length));
          this.connection.write(chunk);
          this.connection.writeLatin1(end ? `\r\n${lastChunk}` : "\r\n");
        } else if (end) this.connection.writeLatin1(lastChunk);
        break;
      case "none":
        break;
      default:
        if (length > 0) this.connection.write(chunk);
    }
    if (end) this.#finish(stream);
  }

  trailers(stream: Http1ServerStream, trailers: HeaderList): void {
    if (stream !== this.#stream) return;
    if (stream.framing === "chunked") {
      const { keepsTrailers, properCaseHeaders } = this.#options;
      if (keepsTrailers) writeTrailers(this.connection, trailers, properCaseHeaders);
      else this.connection.writeLatin1(lastChunk);
    }
    this.#finish(stream);
  }

  reset(stream: Http1ServerStream): void {
    if (stream !== this.#stream) return;
    this.#stream = undefined;
    this.#state = "closed";
    // A body that lasts until the close must not look complete.
    if (stream.framing === "close") this.connection.reset();
    else if (stream.hasResponded) this.connection.closeGracefully();
    else this.connection.destroy();
  }

  setRequestPaused(stream: Http1ServerStream, isPaused: boolean): void {
    if (stream !== this.#stream || this.#isRequestPaused === isPaused) return;
    this.#isRequestPaused = isPaused;
    if (isPaused) this.connection.pause();
    else if (!this.#waiting) this.connection.resume();
  }

  /** Whether nothing more can come of this connection once it is idle. */
  get isDrained(): boolean {
    return this.isDraining;
  }

  /** Ends the connection once everything written has been sent. */
  close(): void {
    this.connection.closeGracefully();
  }

  /** The answer in progress, or the next one, is the last on this connection. */
  drain(): void {
    this.isDraining = true;
  }

  /** A client has no request under way that this connection does not know of: the next answer ends it as it is. */
  endDrain(): void {}

  #openTunnel(): void {
    this.#state = "tunnel";
    const held = this.#waiting;
    this.#waiting = undefined;
    if (held && !this.#isConsuming) this.#consume(held, 0, held.length);
    if (!this.#isRequestPaused) this.connection.resume();
  }

  #finish(stream: Http1ServerStream): void {
    this.#stream = undefined;
    if (
      stream.framing === "tunnel" ||
      stream.mustClose ||
      !stream.isRequestDone ||
      this.#state === "closed"
    ) {
      this.#state = "closed";
      this.connection.closeGracefully();
      return;
    }
    this.#state = "head";
    this.#isRequestPaused = false;
    if (!this.#isConsuming) {
      const held = this.#waiting;
      if (held) {
        this.#waiting = undefined;
        this.#consume(held, 0, held.length);
      }
      if (!this.#waiting) this.connection.resume();
    }
    if (this.isIdle) this.#events.onIdle();
  }
}

const continueResponse = "HTTP/1.1 100 Continue\r\n\r\n";
