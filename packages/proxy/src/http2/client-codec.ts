import type { RequestHead } from "../layer/message.ts";
import type { ClientStream, ResponseReceiver } from "../layer/stream.ts";
import type { Connection } from "../net/connection.ts";
import type { CloseCause } from "../net/connection-handler.ts";
import { type ClientStreamCarrier, Http2ClientStream } from "./client-stream.ts";
import { clientPreface, ErrorCode } from "./frames.ts";
import { parseResponseFields } from "./response-fields.ts";
import { Http2Session, type SessionOptions } from "./session.ts";

/** What the codec tells the pool. */
export interface Http2ClientCodecEvents {
  /** A stream ended or the server allowed more or fewer: `capacity` may have changed. */
  onCapacity(): void;
  /** The server said how many streams it allows. */
  onSettled(maxStreams: number): void;
  /** The server broke the protocol; the connection is closing. */
  onProtocolError(): void;
  /** `isActive`: streams were open. */
  onGone(cause: CloseCause, isActive: boolean): void;
}

interface AwaitingHead {
  readonly stream: Http2ClientStream;
  readonly head: RequestHead;
  readonly extra: readonly string[] | undefined;
}

/** Stream identifiers end at 2^31; a connection is replaced long before. */
const maxStreamId = 0x3fffffff;

/**
 * The client side of HTTP/2 on one connection: as many requests at once as the
 * server allows. After the server's GOAWAY those it did not see are handed back
 * as unprocessed and no new ones begin.
 */
export class Http2ClientCodec extends Http2Session<Http2ClientStream> implements ClientStreamCarrier {
  /** Requests begun on this connection. */
  requestCount = 0;
  readonly #events: Http2ClientCodecEvents;
  #assumedStreams = 1;
  /** Requests for another protocol that wait for the server's settings. */
  #awaiting: AwaitingHead[] = [];

  constructor(connection: Connection, options: SessionOptions, events: Http2ClientCodecEvents) {
    super(connection, options, false);
    this.#events = events;
  }

  /** Says the preface; the connection must be open. `maxStreams` is assumed until the server says what it allows. */
  greet(maxStreams: number): void {
    this.#assumedStreams = maxStreams;
    this.writer.write(clientPreface);
    this.sendSettings();
  }

  override get isIdle(): boolean {
    return super.isIdle && this.#awaiting.length === 0;
  }

  /** Requests that may begin now. */
  get capacity(): number {
    if (this.isDraining || this.state === "closed" || !this.connection.isOpen) return 0;
    const allowed = this.state === "open" ? this.peer.maxStreams : this.#assumedStreams;
    return (
      Math.min(allowed, this.plan.maxConcurrentStreams) - this.table.streams.size - this.#awaiting.length
    );
  }

  /** The stream begins with its `sendHead`, which must follow at once. */
  newStream(receiver: ResponseReceiver): ClientStream {
    this.requestCount += 1;
    return new Http2ClientStream(this, receiver, this.requestCount === 1);
  }

  override onClosed(cause: CloseCause): void {
    const isActive = !this.isIdle;
    super.onClosed(cause);
    for (const { stream } of this.#awaiting.splice(0)) {
      stream.isGone = true;
      stream.deliverReset("connection-termination", true);
    }
    this.#events.onGone(cause, isActive);
  }

  sendHead(stream: Http2ClientStream, head: RequestHead, end: boolean, extra?: readonly string[]): void {
    stream.upgrade = head.upgrade;
    const isExtended = head.upgrade !== "" && head.upgrade !== "connect";
    if (this.state === "closed") {
      stream.isGone = true;
      stream.deliverReset("connection-termination", true);
    } else if (isExtended && this.state !== "open") {
      // Whether the server takes extended CONNECT its settings will tell.
      this.#awaiting.push({ stream, head, extra });
    } else if (isExtended && !this.peer.allowsConnect) {
      stream.isGone = true;
      stream.deliverReset("protocol-error", true);
    } else this.#begin(stream, head, end, extra);
  }

  #begin(
    stream: Http2ClientStream,
    head: RequestHead,
    end: boolean,
    extra: readonly string[] | undefined,
  ): void {
    const { upgrade } = head;
    const id = this.lastStreamId === 0 ? 1 : this.lastStreamId + 2;
    this.lastStreamId = id;
    if (id > maxStreamId) this.isDraining = true;
    this.guard.streamOpened();
    this.open(id, stream);
    const isExtended = upgrade !== "" && upgrade !== "connect";
    const pseudo = [":method", isExtended ? "CONNECT" : head.method, ":authority", head.authority];
    if (isExtended) pseudo.push(":protocol", upgrade);
    if (upgrade !== "connect") pseudo.push(":scheme", head.scheme, ":path", head.path);
    this.writer.headers(id, pseudo, head.headers.flat, extra, end);
    if (end) this.table.sent(stream);
  }

  abandon(stream: Http2ClientStream): void {
    if (stream.id === 0) {
      this.#awaiting = this.#awaiting.filter((waiting) => waiting.stream !== stream);
      stream.isGone = true;
    } else this.resetStream(stream, "local-reset", ErrorCode.Cancel);
  }

  protected onFields(stream: Http2ClientStream, flat: readonly string[], isEnd: boolean): void {
    stream.hasResponseBytes = true;
    if (stream.hasHead) {
      this.onTrailers(stream, flat, isEnd);
      return;
    }
    const head = this.decoder.isOverLimit ? undefined : parseResponseFields(flat);
    if (!head || (head.status < 200 && isEnd)) {
      this.table.malformed(stream.id);
      return;
    }
    if (head.status < 200) {
      stream.receiver.onInformational(head);
      return;
    }
    const isTunnel = stream.upgrade !== "" && head.status < 300;
    // What HTTP/1.1 says of a protocol switched to. @see RFC 8441 §4
    if (isTunnel && stream.upgrade !== "connect") head.status = 101;
    const hasNoBody = isTunnel || stream.isHead || head.status === 204 || head.status === 304;
    if (!hasNoBody) stream.contentLength = head.contentLength;
    if (isEnd && stream.contentLength > 0) {
      this.table.malformed(stream.id);
      return;
    }
    stream.hasHead = true;
    stream.isReceived = isEnd;
    stream.receiver.onResponseHead(head, isEnd);
    if (isEnd) this.table.received(stream);
  }

  /** A stream the client did not open. */
  protected onNewStream(): void {
    this.fail(ErrorCode.ProtocolError, "http2.protocol_error");
  }

  onGoaway(lastStreamId: number): void {
    this.isDraining = true;
    for (const stream of this.table.streams.list()) {
      if (stream.id <= lastStreamId) continue;
      this.table.forget(stream);
      stream.deliverReset("remote-refused", true);
    }
    this.#events.onCapacity();
  }

  protected onSettled(): void {
    for (const { stream, head, extra } of this.#awaiting.splice(0)) {
      this.sendHead(stream, head, false, extra);
      if (!stream.isGone) this.flush(stream);
    }
    this.#events.onSettled(this.peer.maxStreams);
    this.#events.onCapacity();
  }

  protected onStreamGone(): void {
    this.#events.onCapacity();
  }

  /** The streams are told each; the connection closes. */
  protected onProtocolError(): void {
    this.#events.onProtocolError();
  }

  /** Limits on heads are enough: an upstream is chosen, not a stranger. */
  onHeadStarted(): void {}
  protected onDrainAnswered(): void {}
}
