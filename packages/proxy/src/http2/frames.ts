/** @see RFC 9113 §6 */
export const FrameType = {
  Data: 0,
  Headers: 1,
  Priority: 2,
  RstStream: 3,
  Settings: 4,
  PushPromise: 5,
  Ping: 6,
  Goaway: 7,
  WindowUpdate: 8,
  Continuation: 9,
} as const;

export const Flag = { EndStream: 0x1, Ack: 0x1, EndHeaders: 0x4, Padded: 0x8, Priority: 0x20 } as const;

/** @see RFC 9113 §7 */
export const ErrorCode = {
  NoError: 0,
  ProtocolError: 1,
  InternalError: 2,
  FlowControlError: 3,
  StreamClosed: 5,
  FrameSizeError: 6,
  RefusedStream: 7,
  Cancel: 8,
  CompressionError: 9,
  EnhanceYourCalm: 11,
} as const;

/** @see RFC 9113 §6.5.2 */
export const Setting = {
  HeaderTableSize: 1,
  EnablePush: 2,
  MaxConcurrentStreams: 3,
  InitialWindowSize: 4,
  MaxFrameSize: 5,
  MaxHeaderListSize: 6,
  /** @see RFC 8441 §3 */
  EnableConnectProtocol: 8,
} as const;

export const frameHeadBytes = 9;
/** What both sides may send without having been told otherwise; more is never asked for here. */
export const maxFrameBytes = 16384;
export const defaultWindowBytes = 65535;
export const maxWindowBytes = 0x7fffffff;

/** What a client says first. @see RFC 9113 §3.4 */
export const clientPreface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** Writes the nine octets before a payload at `at`. */
export function writeFrameHead(
  into: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  into[at] = length >>> 16;
  into[at + 1] = length >>> 8;
  into[at + 2] = length;
  into[at + 3] = type;
  into[at + 4] = flags;
  into[at + 5] = streamId >>> 24;
  into[at + 6] = streamId >>> 16;
  into[at + 7] = streamId >>> 8;
  into[at + 8] = streamId;
}

/** A frame of 32-bit words: RST_STREAM, WINDOW_UPDATE, GOAWAY without debug data. */
export function wordFrame(type: number, streamId: number, ...words: readonly number[]): Buffer {
  const frame = Buffer.allocUnsafe(frameHeadBytes + words.length * 4);
  writeFrameHead(frame, 0, words.length * 4, type, 0, streamId);
  words.forEach((word, i) => {
    frame.writeUInt32BE(word >>> 0, frameHeadBytes + i * 4);
  });
  return frame;
}

/** A PING with eight octets of payload. */
export function pingFrame(payload: Uint8Array, flags: number): Buffer {
  const frame = Buffer.allocUnsafe(frameHeadBytes + 8);
  writeFrameHead(frame, 0, 8, FrameType.Ping, flags, 0);
  frame.set(payload, frameHeadBytes);
  return frame;
}

export function settingsFrame(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const frame = Buffer.allocUnsafe(frameHeadBytes + settings.length * 6);
  writeFrameHead(frame, 0, settings.length * 6, FrameType.Settings, 0, 0);
  settings.forEach(([id, value], i) => {
    frame.writeUInt16BE(id, frameHeadBytes + i * 6);
    frame.writeUInt32BE(value, frameHeadBytes + i * 6 + 2);
  });
  return frame;
}
