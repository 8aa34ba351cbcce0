import type { KeepAlivePlan } from "./keep-alive.ts";

/**
 * How HTTP/2 is spoken on a connection, with Envoy's defaults where they bound memory and its
 * thresholds against floods.
 *
 * @see envoy.config.core.v3.Http2ProtocolOptions
 */
export interface Http2Plan {
  readonly hpackTableBytes: number;
  readonly maxConcurrentStreams: number;
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
  /** Frames that may wait to be written. */
  readonly maxOutboundFrames: number;
  /** PING, SETTINGS and RST_STREAM frames that may wait to be written. */
  readonly maxOutboundControlFrames: number;
  readonly maxConsecutiveEmptyFrames: number;
  readonly maxPriorityFramesPerStream: number;
  readonly maxWindowUpdatesPerDataFrame: number;
  /** Undefined sends no PINGs. */
  readonly keepAlive: KeepAlivePlan | undefined;
  /** Other protocols may be asked for by extended CONNECT. @see RFC 8441 */
  readonly allowsConnect: boolean;
  /** A malformed request ends its stream only, not the connection. */
  readonly keepsConnectionOnBadMessage: boolean;
}

export const defaultHttp2Plan: Http2Plan = {
  hpackTableBytes: 4096,
  maxConcurrentStreams: 1024,
  streamWindowBytes: 1 << 20,
  connectionWindowBytes: 8 << 20,
  maxOutboundFrames: 10_000,
  maxOutboundControlFrames: 1_000,
  maxConsecutiveEmptyFrames: 1,
  maxPriorityFramesPerStream: 100,
  maxWindowUpdatesPerDataFrame: 10,
  keepAlive: undefined,
  allowsConnect: false,
  keepsConnectionOnBadMessage: false,
};
