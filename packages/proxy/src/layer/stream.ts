import type { HeaderList } from "./header-list.ts";
import type { RequestHead, ResponseHead } from "./message.ts";

/**
 * The one interface between codecs and the filter chain. A codec knows bytes
 * and framing; everything behind these calls knows messages only, so HTTP/1.1
 * to HTTP/2 in either direction is nothing special.
 *
 * Order per direction: head, data*, trailers?; `end` is true exactly once, on
 * the last part. After `reset`, in either direction, nothing more is called.
 * Every call is synchronous and none may throw.
 *
 * A `chunk` belongs to the caller and is valid only during the call: it is
 * usually a view of the read buffer all connections share. Whoever keeps bytes
 * copies them; `respondData` and `sendData` do.
 */

/** Why a stream ended early; each maps to one Envoy response flag. */
export type ResetReason =
  | "local-reset"
  | "remote-reset"
  | "connection-failure"
  | "connection-termination"
  | "connect-timeout"
  | "overflow"
  | "protocol-error"
  | "remote-refused";

/** A request that arrived downstream; its response is written through the same object. */
export interface ServerStream {
  /** Set by the owner before any part after the head is delivered. */
  receiver: RequestReceiver;
  /** 1xx responses other than 101. */
  respondInformational(head: ResponseHead): void;
  respondHead(head: ResponseHead, end: boolean): void;
  respondData(chunk: Buffer, end: boolean): void;
  respondTrailers(trailers: HeaderList): void;
  /** Ends the stream without a complete response. HTTP/1.1 closes the connection. */
  reset(reason: ResetReason): void;
  /** Stops and resumes delivery of request data (back-pressure from upstream). */
  pauseRequest(): void;
  resumeRequest(): void;
  /** False while more bytes wait to be sent downstream than the connection's buffer limit. */
  readonly isWritable: boolean;
}

export interface RequestReceiver {
  onRequestData(chunk: Buffer, end: boolean): void;
  onRequestTrailers(trailers: HeaderList): void;
  /** The client went away or broke the protocol. */
  onRequestReset(reason: ResetReason): void;
  /** `isWritable` became true again. */
  onResponseWritable(): void;
}

/** A request sent upstream on a pooled connection. */
export interface ClientStream {
  /** `extra` (flat, name then value) follows the head's own fields. */
  sendHead(head: RequestHead, end: boolean, extra?: readonly string[]): void;
  sendData(chunk: Buffer, end: boolean): void;
  sendTrailers(trailers: HeaderList): void;
  reset(reason: ResetReason): void;
  pauseResponse(): void;
  resumeResponse(): void;
  readonly isWritable: boolean;
  /** Whether no request went over this connection before. */
  readonly isFirstOnConnection: boolean;
  /** Whether anything of a response has arrived, complete head or not. */
  readonly hasResponseBytes: boolean;
}

export interface ResponseReceiver {
  onInformational(head: ResponseHead): void;
  onResponseHead(head: ResponseHead, end: boolean): void;
  onResponseData(chunk: Buffer, end: boolean): void;
  onResponseTrailers(trailers: HeaderList): void;
  /** `isUnprocessed`: the upstream provably did not act on the request, so sending it again is safe. */
  onResponseReset(reason: ResetReason, isUnprocessed: boolean): void;
  onRequestWritable(): void;
}
