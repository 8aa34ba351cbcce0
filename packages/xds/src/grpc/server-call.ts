import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Clock, Timer } from "@weft/base/clock";
import type { CallListener } from "./call-listener.ts";
import type { GrpcPeer } from "./grpc-peer.ts";
import { encodeGrpcMessage, GrpcError, grpcCode, grpcErrorOf } from "./grpc-status.ts";
import { frameMessage, frameParts, MessageReader } from "./message-framing.ts";

export interface ServerCallOptions {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly peer: GrpcPeer;
  readonly clock: Clock;
  readonly maxMessageBytes: number;
  /** An error that is the server's own fault. */
  onError(error: unknown): void;
}

/** Copying less than this into one buffer is cheaper than writing several. */
const maxCopiedBytes = 8 << 10;

/** One call as its handler sees it. Writing to a call that is over does nothing. */
export class ServerCall {
  readonly peer: GrpcPeer;
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  readonly #onError: (error: unknown) => void;
  #listener: CallListener | undefined;
  #deadline: Timer | undefined;
  #isOver = false;

  private constructor(options: ServerCallOptions) {
    this.peer = options.peer;
    this.#stream = options.stream;
    this.#headers = options.headers;
    this.#onError = options.onError;
  }

  /** Starts a call. Its end, whichever it is, reaches the listener as `onClose`. */
  static open(route: { open(call: ServerCall): CallListener }, options: ServerCallOptions): void {
    const call = new ServerCall(options);
    const { stream, maxMessageBytes } = options;
    const reader = new MessageReader(maxMessageBytes, (message) => {
      if (!call.#isOver) call.#listener?.onMessage(message);
    });
    stream.on("error", () => {});
    stream.on("close", () => call.#close());
    call.#guard(() => {
      call.#startDeadline(options.clock);
      call.#listener = route.open(call);
    });
    if (call.#isOver) return;
    stream.on("data", (chunk: Buffer) => call.#guard(() => reader.push(chunk)));
    stream.on("end", () => call.#guard(() => call.#listener?.onHalfClose()));
    stream.on("drain", () => call.#guard(() => call.#listener?.onDrain?.()));
  }

  /** The first value of a request header, by its lower-case name. */
  metadata(name: string): string | undefined {
    const value = this.#headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  /** False once written messages wait for the client to read: hold back until `onDrain`. */
  get isWritable(): boolean {
    return !this.#isGone && !this.#stream.writableNeedDrain;
  }

  /** Sends the response headers now, so that the client knows the call was accepted. */
  accept(): void {
    if (this.#isGone || this.#stream.headersSent) return;
    this.#stream.respond(
      { ":status": 200, "content-type": "application/grpc+proto" },
      { waitForTrailers: true },
    );
  }

  send(message: Uint8Array): void {
    if (this.#isGone) return;
    this.accept();
    this.#stream.write(frameMessage(message));
  }

  /** Sends one message in parts that may be shared: large ones are written as they are, never copied. */
  sendParts(parts: readonly Uint8Array[]): void {
    if (this.#isGone) return;
    this.accept();
    const frame = frameParts(parts);
    let length = 0;
    for (const part of frame) length += part.length;
    if (length <= maxCopiedBytes) {
      this.#stream.write(Buffer.concat(frame, length));
      return;
    }
    this.#stream.cork();
    for (const part of frame) this.#stream.write(part);
    this.#stream.uncork();
  }

  /** Ends the call with OK. */
  end(): void {
    if (this.#isGone) return;
    this.accept();
    this.#finish({ "grpc-status": String(grpcCode.ok) });
  }

  /** Ends the call with the status of what was thrown; what is not a `GrpcError` is also the server's to know. */
  fail(thrown: unknown): void {
    if (this.#isOver) return;
    const error = grpcErrorOf(thrown);
    if (error !== thrown) this.#onError(thrown);
    if (this.#isGone) return;
    const status = { "grpc-status": String(error.code), "grpc-message": encodeGrpcMessage(error.message) };
    if (this.#stream.headersSent) {
      this.#finish(status);
      return;
    }
    this.#isOver = true;
    this.#stream.respond(
      { ":status": 200, "content-type": "application/grpc+proto", ...status },
      { endStream: true },
    );
    this.#stopReading();
  }

  /** Over, or given up by its client, of which `close` tells only later: there is nobody to say anything to. */
  get #isGone(): boolean {
    return this.#isOver || this.#stream.destroyed || this.#stream.closed;
  }

  #finish(trailers: Record<string, string>): void {
    this.#isOver = true;
    this.#stream.once("wantTrailers", () => {
      if (this.#stream.destroyed || this.#stream.closed) return;
      this.#stream.sendTrailers(trailers);
      this.#stopReading();
    });
    this.#stream.end();
  }

  /**
   * The answer is complete: what the client still sends is not wanted (RFC 9113,
   * section 8.1). A turn later, since a reset overtakes trailers that wait.
   */
  #stopReading(): void {
    if (this.#stream.readableEnded) return;
    setImmediate(() => this.#stream.close(constants.NGHTTP2_NO_ERROR));
  }

  #startDeadline(clock: Clock): void {
    const timeoutMs = parseTimeoutMs(this.metadata("grpc-timeout"));
    if (timeoutMs === undefined) return;
    const expire = () =>
      this.fail(new GrpcError(grpcCode.deadlineExceeded, "the call's deadline has passed"));
    this.#deadline = clock.setTimer(expire, timeoutMs);
  }

  /** Runs handler code: what it throws ends the call and nothing else. */
  #guard(run: () => void): void {
    if (this.#isOver) return;
    try {
      run();
    } catch (error) {
      this.fail(error);
    }
  }

  #close(): void {
    this.#isOver = true;
    this.#deadline?.cancel();
    const listener = this.#listener;
    this.#listener = undefined;
    try {
      listener?.onClose();
    } catch (error) {
      this.#onError(error);
    }
  }
}

const timeoutUnitMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** @throws GrpcError when it is not one to eight digits and a unit. */
function parseTimeoutMs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const match = /^(\d{1,8})([HMSmun])$/.exec(text);
  if (!match) throw new GrpcError(grpcCode.invalidArgument, "grpc-timeout is malformed");
  return Number(match[1]) * timeoutUnitMs[match[2]!]!;
}
