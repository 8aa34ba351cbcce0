import type { RequestHead, ResponseHead } from "../layer/message.ts";
import type { ServerStream } from "../layer/stream.ts";
import { checkUnderscores, type UnderscoreAction } from "../layer/underscored-fields.ts";
import type { Connection } from "../net/connection.ts";
import type { CloseCause } from "../net/connection-handler.ts";
import { clientPreface, ErrorCode, FrameType, maxWindowBytes, pingFrame, wordFrame } from "./frames.ts";
import { parseRequestFields } from "./request-fields.ts";
import { Http2ServerStream, type ServerStreamCarrier } from "./server-stream.ts";
import { Http2Session, type SessionOptions } from "./session.ts";

export interface Http2ServerCodecOptions extends SessionOptions {
  readonly isTls: boolean;
  readonly underscores: UnderscoreAction;
  /** `expect: 100-continue` is passed on, not answered here. */
  readonly proxies100: boolean;
}

/** What the codec tells the layer above it. */
export interface Http2ServerCodecEvents {
  /** A request began; `stream.receiver` must be set before this returns unless the stream has been answered. */
  onRequest(
    stream: ServerStream,
    head: RequestHead,
    end: boolean,
    info: { readonly headBytes: number; readonly protocol: "HTTP/2" },
  ): void;
  /** A head began that is not complete. */
  onHeadStarted(): void;
  /** The head of an answer is about to be sent: the last moment to `drain`. */
  onAnswer(): void;
  /** No request is in progress any more. */
  onIdle(): void;
  /** The client broke the protocol; the connection is closing. */
  onProtocolError(details: string): void;
  /** `isActive`: requests were not over. */
  onConnectionClosed(cause: CloseCause, isActive: boolean): void;
}

const drainPing = pingFrame(Buffer.from("weftends"), 0);

/**
 * The server side of HTTP/2 on one connection: many requests at once, each in
 * its own window, answers written in the order they come.
 */
export class Http2ServerCodec extends Http2Session<Http2ServerStream> implements ServerStreamCarrier {
  readonly #server: Http2ServerCodecOptions;
  readonly #events: Http2ServerCodecEvents;
  #prefaceBytes = 0;

  constructor(connection: Connection, options: Http2ServerCodecOptions, events: Http2ServerCodecEvents) {
    super(connection, options, true);
    this.#server = options;
    this.#events = events;
  }

  override onRead(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (this.state === "preface" && at < end) {
      if (bytes[at++] !== clientPreface[this.#prefaceBytes++]) {
        this.fail(ErrorCode.ProtocolError, "http2.invalid_preface");
        return;
      }
      if (this.#prefaceBytes < clientPreface.length) continue;
      this.state = "settings";
      this.sendSettings();
      if (this.isDraining) this.#announceEnd();
    }
    super.onRead(bytes, at, end);
  }

  override onClosed(cause: CloseCause): void {
    const isActive = this.table.streams.size > 0;
    super.onClosed(cause);
    this.#events.onConnectionClosed(cause, isActive);
  }

  /** Announces that the connection will end; streams the client opens until it knows are still served. */
  drain(): void {
    if (this.isDraining) return;
    this.isDraining = true;
    if (this.state !== "preface" && this.state !== "closed") this.#announceEnd();
  }

  /** A head that does not become complete. */
  refuseHead(): void {
    if (this.isHeadIncomplete) this.fail(ErrorCode.EnhanceYourCalm, "request_header_timeout");
  }

  respondInformational(stream: Http2ServerStream, head: ResponseHead): void {
    this.writer.headers(stream.id, [":status", `${head.status}`], head.headers.flat, undefined, false);
  }

  respondHead(stream: Http2ServerStream, head: ResponseHead, end: boolean): void {
    this.#events.onAnswer();
    // Here a protocol is switched to by success. @see RFC 8441 §4
    const status = head.status === 101 ? 200 : head.status;
    const isEnd = end || stream.isHead || status === 204 || status === 304;
    this.writer.headers(stream.id, [":status", `${status}`], head.headers.flat, undefined, isEnd);
    if (isEnd) this.table.sent(stream);
  }

  protected onNewStream(streamId: number, flat: readonly string[], isEnd: boolean, headBytes: number): void {
    this.guard.streamOpened();
    this.lastStreamId = streamId;
    if (this.isFinal || this.table.streams.size >= this.plan.maxConcurrentStreams) {
      this.table.sendReset(streamId, ErrorCode.RefusedStream);
      return;
    }
    if (this.decoder.isOverLimit) {
      this.table.sendReset(streamId, ErrorCode.InternalError);
      return;
    }
    const head = parseRequestFields(flat, this.plan.allowsConnect);
    if (!head || (isEnd && head.contentLength > 0)) {
      this.table.malformed(streamId);
      return;
    }
    if (!checkUnderscores(head.headers, this.#server.underscores)) {
      this.table.sendReset(streamId, ErrorCode.InternalError);
      return;
    }
    head.scheme = this.#server.isTls ? "https" : "http";
    const stream = new Http2ServerStream(this, head.method === "HEAD");
    stream.contentLength = head.contentLength;
    stream.isReceived = isEnd;
    this.open(streamId, stream);
    if (head.expectsContinue && !this.#server.proxies100) {
      head.headers.remove("expect");
      if (!isEnd) this.writer.headers(streamId, [":status", "100"], [], undefined, false);
    }
    this.#events.onRequest(stream, head, isEnd, { headBytes, protocol: "HTTP/2" });
  }

  protected onFields(stream: Http2ServerStream, flat: readonly string[], isEnd: boolean): void {
    const { underscores } = this.#server;
    this.onTrailers(stream, flat, isEnd, underscores === "allow" ? underscores : "drop");
  }

  onHeadStarted(): void {
    this.#events.onHeadStarted();
  }

  protected onStreamGone(): void {
    if (this.isIdle) this.#events.onIdle();
  }

  protected onProtocolError(details: string): void {
    this.#events.onProtocolError(details);
  }

  /** A client that goes away still gets its answers. */
  onGoaway(): void {}

  protected onSettled(): void {}

  protected onDrainAnswered(): void {
    this.endDrain();
  }

  /** Names the last stream that is served; the connection ends when it is idle. Only after `drain`, and once. */
  endDrain(): void {
    if (!this.isDraining || this.isFinal || this.state === "preface" || this.state === "closed") return;
    this.goAway(ErrorCode.NoError);
    if (this.isIdle) this.#events.onIdle();
  }

  #announceEnd(): void {
    this.writer.write(wordFrame(FrameType.Goaway, 0, maxWindowBytes, ErrorCode.NoError));
    // Its answer tells that the client has read the above.
    this.writer.write(drainPing);
  }
}
