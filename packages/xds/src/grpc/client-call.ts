import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from "node:http2";
import { reasonOf } from "@weft/base/system-error";
import { decodeGrpcMessage, type GrpcCode, GrpcError, grpcCode, parseGrpcCode } from "./grpc-status.ts";
import { frameMessage, MessageReader } from "./message-framing.ts";

export interface CallHandler {
  /** An error thrown here ends the call with it. */
  onMessage(message: Uint8Array): void;
  /** The call is over; `undefined` is OK. Called exactly once. */
  onEnd(error: GrpcError | undefined): void;
}

/** One call as its caller sees it. */
export class ClientCall {
  readonly #stream: ClientHttp2Stream;
  readonly #handler: CallHandler;
  #status: GrpcError | "ok" | undefined;
  #isOver = false;

  constructor(stream: ClientHttp2Stream, maxMessageBytes: number, handler: CallHandler) {
    this.#stream = stream;
    this.#handler = handler;
    const reader = new MessageReader(maxMessageBytes, (message) => {
      if (!this.#isOver) handler.onMessage(message);
    });
    stream.on("response", (headers) => this.#onHeaders(headers));
    stream.on("trailers", (trailers) => this.#onTrailers(trailers));
    stream.on("data", (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        this.#finish(error instanceof GrpcError ? error : internal(error));
      }
    });
    stream.on("error", (error) => this.#finish(this.#lost(error)));
    stream.on("close", () => {
      if (this.#status === "ok") {
        this.#finish(
          reader.isAtBoundary
            ? undefined
            : new GrpcError(grpcCode.internal, "the response ends inside a message"),
        );
      } else {
        this.#finish(this.#status ?? this.#lost(undefined));
      }
    });
  }

  /** True while little waits to be sent. */
  get isWritable(): boolean {
    return !this.#isOver && !this.#stream.writableNeedDrain;
  }

  send(message: Uint8Array): void {
    if (!this.#isOver) this.#stream.write(frameMessage(message));
  }

  /** Says that nothing more will be sent. */
  halfClose(): void {
    if (!this.#isOver) this.#stream.end();
  }

  /** Ends the call; `onEnd` is told `error`. */
  cancel(error = new GrpcError(grpcCode.cancelled, "cancelled")): void {
    this.#finish(error);
  }

  #onHeaders(headers: IncomingHttpHeaders): void {
    const httpStatus = Number(headers[":status"]);
    if (headers["grpc-status"] !== undefined) this.#onTrailers(headers);
    else if (httpStatus !== 200) {
      this.#finish(new GrpcError(codeOfHttpStatus(httpStatus), `HTTP status ${httpStatus} instead of gRPC`));
    }
  }

  #onTrailers(trailers: IncomingHttpHeaders): void {
    const code = parseGrpcCode(trailers["grpc-status"] as string | undefined);
    const message = decodeGrpcMessage(trailers["grpc-message"] as string | undefined);
    this.#status ??= code === grpcCode.ok ? "ok" : new GrpcError(code, message);
  }

  #lost(cause: Error | undefined): GrpcError {
    const code = this.#stream.rstCode ?? constants.NGHTTP2_NO_ERROR;
    // A connection that breaks cancels its streams; that code says nothing.
    const isPlainLoss = code === constants.NGHTTP2_NO_ERROR || code === constants.NGHTTP2_CANCEL;
    const detail = isPlainLoss ? "" : ` (HTTP/2 code ${code})`;
    const why = cause ? reasonOf(cause) : `the connection was lost${detail}`;
    return new GrpcError(codeOfReset(code), why, { cause });
  }

  #finish(error: GrpcError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (!this.#stream.closed) this.#stream.close(constants.NGHTTP2_CANCEL);
    this.#handler.onEnd(error);
  }
}

function internal(cause: unknown): GrpcError {
  return new GrpcError(grpcCode.internal, "the response could not be handled", { cause });
}

/** gRPC's own mapping from the HTTP statuses of proxies on the way. */
function codeOfHttpStatus(status: number): GrpcCode {
  if (status === 400) return grpcCode.internal;
  if (status === 401) return grpcCode.unauthenticated;
  if (status === 403) return grpcCode.permissionDenied;
  if (status === 404) return grpcCode.unimplemented;
  return status === 429 || status >= 502 ? grpcCode.unavailable : grpcCode.unknown;
}

function codeOfReset(code: number | undefined): GrpcCode {
  if (code === constants.NGHTTP2_CANCEL) return grpcCode.cancelled;
  if (code === constants.NGHTTP2_ENHANCE_YOUR_CALM) return grpcCode.resourceExhausted;
  if (code === constants.NGHTTP2_INADEQUATE_SECURITY) return grpcCode.permissionDenied;
  return grpcCode.unavailable;
}
