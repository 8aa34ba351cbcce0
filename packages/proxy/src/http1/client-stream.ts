import type { HeaderList } from "../layer/header-list.ts";
import type { RequestHead } from "../layer/message.ts";
import type { ClientStream, ResetReason, ResponseReceiver } from "../layer/stream.ts";
import type { Connection } from "../net/connection.ts";
import {
  type BodyFraming,
  chunkHead,
  lastChunk,
  requestFraming,
  writeRequestHead,
  writeTrailers,
} from "./encode.ts";
import type { HeadLimits } from "./head.ts";

/** How HTTP/1.1 is spoken with an upstream. */
export interface ClientCodecOptions {
  readonly limits: HeadLimits;
  /** Without it trailers are read and dropped, both ways, as Envoy does. */
  readonly keepsTrailers: boolean;
  readonly properCaseHeaders: boolean;
}

/** What a request's stream asks of the client codec. */
export interface ClientStreamCarrier {
  readonly connection: Connection;
  readonly options: ClientCodecOptions;
  /** The request's owner gave up. */
  abandon(stream: Http1ClientStream): void;
}

/** One request and its answer on an upstream HTTP/1 connection. Calls after its end do nothing. */
export class Http1ClientStream implements ClientStream {
  readonly receiver: ResponseReceiver;
  readonly isFirstOnConnection: boolean;
  hasResponseBytes = false;
  isHead = false;
  upgrade = "";
  isKeepAlive = true;
  isRequestDone = false;
  isResponseDone = false;
  isPaused = false;
  readonly #codec: ClientStreamCarrier;
  readonly #writtenBefore: number;
  #framing: BodyFraming = "none";
  #isTunnel = false;
  /** What the client sent before the upstream has switched protocols: it may still refuse. */
  #early: Buffer[] | undefined = undefined;
  #earlyEnds = false;
  #isReset = false;

  constructor(codec: ClientStreamCarrier, receiver: ResponseReceiver, isFirst: boolean) {
    this.#codec = codec;
    this.receiver = receiver;
    this.isFirstOnConnection = isFirst;
    this.#writtenBefore = codec.connection.bytesWritten;
  }

  get isWritable(): boolean {
    return this.#early === undefined && this.#codec.connection.isWritable;
  }

  /** Whether no byte of the request reached the kernel: the upstream cannot have seen it. */
  get isUnsent(): boolean {
    return this.#codec.connection.bytesWritten === this.#writtenBefore;
  }

  sendHead(head: RequestHead, end: boolean, extra?: readonly string[]): void {
    this.isHead = head.method === "HEAD";
    this.upgrade = head.upgrade;
    this.#framing = requestFraming(head, end);
    this.isRequestDone = end;
    const { connection, options } = this.#codec;
    writeRequestHead(connection, head, this.#framing, extra, options.properCaseHeaders);
  }

  sendData(chunk: Buffer, end: boolean): void {
    if (this.#isReset || this.isRequestDone) return;
    const connection = this.#codec.connection;
    if (this.upgrade !== "" && !this.#isTunnel) {
      this.#early ??= [];
      if (chunk.length > 0) this.#early.push(Buffer.from(chunk));
      this.#earlyEnds = end;
      return;
    }
    if (this.#framing === "chunked") {
      if (chunk.length > 0) {
        connection.writeLatin1(chunkHead(chunk.length));
        connection.write(chunk);
        connection.writeLatin1(end ? `\r\n${lastChunk}` : "\r\n");
      } else if (end) connection.writeLatin1(lastChunk);
    } else if (chunk.length > 0) connection.write(chunk);
    if (end) this.#requestEnded();
  }

  sendTrailers(trailers: HeaderList): void {
    if (this.#isReset || this.isRequestDone) return;
    if (this.#framing === "chunked") {
      const { connection, options } = this.#codec;
      if (options.keepsTrailers) writeTrailers(connection, trailers, options.properCaseHeaders);
      else connection.writeLatin1(lastChunk);
    }
    this.#requestEnded();
  }

  reset(_reason: ResetReason): void {
    if (this.#isReset) return;
    this.#isReset = true;
    this.#codec.abandon(this);
  }

  pauseResponse(): void {
    if (this.isPaused || this.#isReset) return;
    this.isPaused = true;
    this.#codec.connection.pause();
  }

  resumeResponse(): void {
    if (!this.isPaused || this.#isReset) return;
    this.isPaused = false;
    this.#codec.connection.resume();
  }

  /** The upstream has switched protocols: what waited for that follows. */
  openTunnel(): void {
    this.#isTunnel = true;
    const early = this.#early;
    if (!early) return;
    this.#early = undefined;
    for (const chunk of early) this.#codec.connection.write(chunk);
    if (this.#earlyEnds) this.#requestEnded();
    else this.receiver.onRequestWritable();
  }

  #requestEnded(): void {
    this.isRequestDone = true;
    if (!this.#isTunnel) return;
    this.#codec.connection.end();
    if (this.isResponseDone) this.#codec.abandon(this);
  }
}
