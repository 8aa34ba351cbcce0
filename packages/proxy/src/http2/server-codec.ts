import type { HeaderList } from "../layer/header-list.ts";
import type { RequestHead, ResponseHead } from "../layer/message.ts";
import type { ResetReason, ServerStream } from "../layer/stream.ts";
import type { CloseCause, Connection, ConnectionHandler } from "../net/connection.ts";
import { TimerEntry, type Timers } from "../net/timers.ts";
import { FloodGuard } from "./flood-guard.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import {
  clientPreface,
  defaultWindowBytes,
  ErrorCode,
  Flag,
  FrameType,
  frameHeadBytes,
  maxFrameBytes,
  maxWindowBytes,
  Setting,
  settingsFrame,
  wordFrame,
  writeFrameHead,
} from "./frames.ts";
import { type FieldLimits, HpackDecoder } from "./hpack-decoder.ts";
import { HpackEncoder } from "./hpack-encoder.ts";
import type { Http2Plan } from "./http2-plan.ts";
import { parseRequestFields, parseTrailerFields } from "./request-fields.ts";
import { Http2ServerStream, maxPendingBytes, type StreamCarrier } from "./server-stream.ts";

export interface Http2ServerCodecOptions {
  readonly plan: Http2Plan;
  readonly limits: FieldLimits;
  readonly isTls: boolean;
  readonly timers: Timers;
  /** How long an answer may wait for the client's window without any progress; 0 is for ever. */
  readonly flushTimeoutMs: number;
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
  /** A request nobody can serve: answer it on `stream`. */
  onBadRequest(stream: ServerStream, error: { readonly status: number; readonly details: string }): void;
  /** A head began that is not complete. */
  onHeadStarted(): void;
  /** No request is in progress any more. */
  onIdle(): void;
  /** The client broke the protocol; the connection is closing. */
  onProtocolError(details: string): void;
  onConnectionClosed(cause: CloseCause): void;
}

interface HeaderBlock {
  readonly streamId: number;
  readonly isEnd: boolean;
  readonly pieces: Buffer[];
  sizeBytes: number;
}

const nothing = Buffer.alloc(0);
const frameHead = Buffer.alloc(frameHeadBytes);
const settingsAck = wordFrame(FrameType.Settings, 0);
settingsAck[4] = Flag.Ack;
const drainPing = Buffer.from("0000080600000000007765667464726e00", "hex").subarray(0, 17);
const fields: string[] = [];
/** Streams reset here whose frames may still be under way. */
const maxRemembered = 256;

/**
 * The server side of HTTP/2 on one connection: many requests at once, each in
 * its own window, answers written in the order they come.
 *
 * Memory is bounded by the connection window for what is received and by
 * `maxPendingBytes` of each stream for what is sent. A client that breaks the
 * protocol gets GOAWAY and its connection is closed.
 *
 * @see RFC 9113
 */
export class Http2ServerCodec implements ConnectionHandler, FrameSink, StreamCarrier {
  readonly connection: Connection;
  isDraining = false;
  readonly #options: Http2ServerCodecOptions;
  readonly #plan: Http2Plan;
  readonly #events: Http2ServerCodecEvents;
  readonly #reader: FrameReader;
  readonly #decoder: HpackDecoder;
  readonly #encoder = new HpackEncoder();
  readonly #guard: FloodGuard;
  readonly #streams = new Map<number, Http2ServerStream>();
  readonly #resetHere = new Set<number>();
  #state: "preface" | "settings" | "open" | "closed" = "preface";
  #prefaceBytes = 0;
  #lastStreamId = 0;
  /** GOAWAY with the real last stream was sent: later ones are refused. */
  #isFinal = false;
  #block: HeaderBlock | undefined;
  #dataStream: Http2ServerStream | undefined;
  #dataEnds = false;
  /** Octets of the DATA frame's flow-controlled length not yet delivered. */
  #dataLeft = 0;
  #receiveWindow: number;
  #uncredited = 0;
  #sendWindow = defaultWindowBytes;
  #peerStreamWindow = defaultWindowBytes;

  constructor(connection: Connection, options: Http2ServerCodecOptions, events: Http2ServerCodecEvents) {
    this.connection = connection;
    this.#options = options;
    this.#plan = options.plan;
    this.#events = events;
    this.#reader = new FrameReader(this);
    this.#decoder = new HpackDecoder(options.limits, options.plan.hpackTableBytes);
    this.#guard = new FloodGuard(options.plan);
    this.#receiveWindow = options.plan.connectionWindowBytes;
  }

  get isIdle(): boolean {
    return this.#streams.size === 0 && !this.#block;
  }

  get isWritable(): boolean {
    return this.connection.isWritable;
  }

  /** Whether nothing more can come of this connection once it is idle. */
  get isDrained(): boolean {
    return this.#isFinal;
  }

  onRead(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (this.#state === "preface" && at < end) {
      if (bytes[at++] !== clientPreface[this.#prefaceBytes++]) {
        this.#fail(ErrorCode.ProtocolError, "http2.invalid_preface");
        return;
      }
      if (this.#prefaceBytes < clientPreface.length) continue;
      this.#state = "settings";
      this.#sendSettings();
    }
    this.#reader.read(bytes, at, end);
  }

  onEnd(): void {
    this.connection.destroy({ kind: "remote" });
  }

  onWritable(): void {
    for (const stream of this.#streams.values()) {
      if (stream.isWritable) stream.receiver.onResponseWritable();
    }
  }

  onClosed(cause: CloseCause): void {
    this.#state = "closed";
    this.#dropStreams();
    this.#events.onConnectionClosed(cause);
  }

  /** Announces that the connection will end; streams the client opens until it knows are still served. */
  drain(): void {
    if (this.isDraining) return;
    this.isDraining = true;
    if (this.#state === "preface" || this.#state === "closed") return;
    this.connection.write(wordFrame(FrameType.Goaway, 0, maxWindowBytes, ErrorCode.NoError));
    // Its answer tells that the client has read the above.
    this.connection.write(drainPing);
  }

  /** Ends the connection once everything written has been sent; streams in progress are lost. */
  close(): void {
    if (this.#state === "closed") return;
    this.#goAway(ErrorCode.NoError);
    this.#state = "closed";
    this.#reader.stop();
    this.connection.closeGracefully();
  }

  /** A head that does not become complete. */
  refuseHead(): void {
    if (this.#block) this.#fail(ErrorCode.EnhanceYourCalm, "request_header_timeout");
  }

  onOversizedFrame(): void {
    this.#fail(ErrorCode.FrameSizeError, "http2.frame_size_error");
  }

  onBadPadding(): void {
    this.#violation();
  }

  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const block = this.#block;
    if (block && (type !== FrameType.Continuation || streamId !== block.streamId)) {
      this.#violation();
      return;
    }
    if (this.#state === "settings" && (type !== FrameType.Settings || flags & Flag.Ack)) {
      this.#violation();
      return;
    }
    const length = end - start;
    switch (type) {
      case FrameType.Headers:
        this.#onHeaders(flags, streamId, bytes, start, end);
        break;
      case FrameType.Continuation:
        if (block) this.#onContinuation(block, flags, bytes, start, end);
        else this.#violation();
        break;
      case FrameType.Priority:
        if (streamId === 0) this.#violation();
        else if (length !== 5) this.#resetById(streamId, ErrorCode.FrameSizeError);
        else if (this.#guard.priorityFrame()) this.#flood("priority");
        else if ((bytes.readUInt32BE(start) & maxWindowBytes) === streamId) {
          this.#resetById(streamId, ErrorCode.ProtocolError);
        }
        break;
      case FrameType.RstStream:
        if (length !== 4) this.onOversizedFrame();
        else this.#onReset(streamId);
        break;
      case FrameType.Settings:
        this.#onSettings(flags, streamId, bytes, start, end);
        break;
      case FrameType.Ping:
        if (streamId !== 0) this.#violation();
        else if (length !== 8) this.onOversizedFrame();
        else this.#onPing(flags, bytes, start);
        break;
      case FrameType.Goaway:
        if (streamId !== 0) this.#violation();
        else if (length < 8) this.onOversizedFrame();
        break;
      case FrameType.WindowUpdate:
        if (length !== 4) this.onOversizedFrame();
        else this.#onWindowUpdate(streamId, bytes.readUInt32BE(start) & maxWindowBytes);
        break;
      case FrameType.PushPromise:
        this.#violation();
        break;
      default:
      // Unknown frames are ignored. @see RFC 9113 §5.5
    }
  }

  onDataFrame(streamId: number, flags: number, length: number): void {
    this.#dataStream = undefined;
    this.#dataEnds = (flags & Flag.EndStream) !== 0;
    this.#dataLeft = length;
    if (this.#state !== "open" || this.#block || streamId === 0 || streamId > this.#lastStreamId) {
      this.#violation();
      return;
    }
    if (this.#guard.frameWithPayload(length === 0 && !this.#dataEnds)) {
      this.#flood("empty frames");
      return;
    }
    this.#receiveWindow -= length;
    if (this.#receiveWindow < 0) {
      this.#fail(ErrorCode.FlowControlError, "http2.flow_control_error");
      return;
    }
    const stream = this.#streams.get(streamId);
    if (!stream) {
      if ((streamId & 1) === 0) this.#violation();
      else if (!this.#resetHere.has(streamId)) this.#sendReset(streamId, ErrorCode.StreamClosed);
      return;
    }
    if (stream.isRequestDone || stream.heldEnd !== "none") {
      this.#abort(stream, ErrorCode.StreamClosed);
      return;
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) {
      this.#abort(stream, ErrorCode.FlowControlError);
      return;
    }
    this.#dataStream = stream;
  }

  onDataPiece(bytes: Buffer, start: number, end: number, isLast: boolean): void {
    const length = end - start;
    const stream = this.#dataStream;
    this.#dataLeft -= length;
    // Padding is consumed as soon as its frame is complete.
    const padding = isLast ? this.#dataLeft : 0;
    const isEnd = isLast && this.#dataEnds;
    if (!stream || stream.isGone) {
      this.#credit(undefined, length + padding);
      return;
    }
    stream.receivedBytes += length;
    const { contentLength } = stream;
    if (contentLength >= 0) {
      const { receivedBytes } = stream;
      if (receivedBytes > contentLength || (isEnd && receivedBytes < contentLength)) {
        this.#credit(undefined, length + padding);
        this.#malformed(stream.id, stream);
        return;
      }
    }
    if (stream.isPaused || stream.held) {
      stream.held ??= [];
      if (length > 0) stream.held.push(Buffer.from(bytes.subarray(start, end)));
      if (isEnd) stream.heldEnd = "data";
      if (padding > 0) this.#credit(stream, padding);
      return;
    }
    if (isEnd) stream.isRequestDone = true;
    if (length > 0 || isEnd) stream.receiver.onRequestData(bytes.subarray(start, end), isEnd);
    this.#credit(stream, length + padding);
    if (isEnd) this.#closeIfDone(stream);
  }

  resumeRequest(stream: Http2ServerStream): void {
    const { held } = stream;
    if (!held) return;
    while (held.length > 0 && !stream.isPaused && !stream.isGone) {
      const chunk = held.shift()!;
      const isEnd = held.length === 0 && stream.heldEnd === "data";
      if (isEnd) stream.isRequestDone = true;
      stream.receiver.onRequestData(chunk, isEnd);
      this.#credit(stream, chunk.length);
    }
    if (stream.isGone || held.length > 0) return;
    stream.held = undefined;
    const end = stream.heldEnd;
    if (end === "none") return;
    if (!stream.isRequestDone) {
      stream.isRequestDone = true;
      if (end === "data") stream.receiver.onRequestData(nothing, true);
      else stream.receiver.onRequestTrailers(end);
    }
    this.#closeIfDone(stream);
  }

  respondInformational(stream: Http2ServerStream, head: ResponseHead): void {
    this.#writeHeaders(stream.id, head.status, head.headers.flat, false);
  }

  respondHead(stream: Http2ServerStream, head: ResponseHead, end: boolean): void {
    const { status } = head;
    const isEnd = end || stream.isHead || status === 204 || status === 304;
    this.#writeHeaders(stream.id, status, head.headers.flat, isEnd);
    if (isEnd) this.#answered(stream);
  }

  respondData(stream: Http2ServerStream, chunk: Buffer, end: boolean): void {
    if (end) stream.isAnswered = true;
    const sent = stream.pending ? 0 : this.#writeData(stream, chunk, end);
    if (sent < chunk.length) {
      stream.pending ??= [];
      stream.pending.push(Buffer.from(chunk.subarray(sent)));
      stream.pendingBytes += chunk.length - sent;
    }
    if (!end) return;
    if (stream.pending) this.#watchFlush(stream);
    else this.#answered(stream);
  }

  respondTrailers(stream: Http2ServerStream, trailers: HeaderList): void {
    stream.isAnswered = true;
    if (stream.pending) {
      stream.pendingTrailers = trailers;
      this.#watchFlush(stream);
      return;
    }
    this.#writeTrailers(stream, trailers);
  }

  resetStream(stream: Http2ServerStream, reason: ResetReason): void {
    this.#sendReset(
      stream.id,
      reason === "protocol-error" ? ErrorCode.ProtocolError : ErrorCode.InternalError,
    );
    this.#forget(stream);
  }

  #sendSettings(): void {
    const { hpackTableBytes, maxConcurrentStreams, streamWindowBytes, connectionWindowBytes } = this.#plan;
    this.connection.write(
      settingsFrame([
        [Setting.HeaderTableSize, hpackTableBytes],
        [Setting.MaxConcurrentStreams, maxConcurrentStreams],
        [Setting.InitialWindowSize, streamWindowBytes],
        [Setting.MaxHeaderListSize, this.#options.limits.maxBytes],
      ]),
    );
    if (connectionWindowBytes > defaultWindowBytes) {
      this.connection.write(wordFrame(FrameType.WindowUpdate, 0, connectionWindowBytes - defaultWindowBytes));
    }
    if (this.isDraining) {
      this.isDraining = false;
      this.drain();
    }
  }

  #onHeaders(flags: number, streamId: number, bytes: Buffer, from: number, end: number): void {
    let start = from;
    if ((streamId & 1) === 0) {
      this.#violation();
      return;
    }
    const isEnd = (flags & Flag.EndStream) !== 0;
    if (this.#guard.frameWithPayload(end === start && !isEnd)) {
      this.#flood("empty frames");
      return;
    }
    let isOwnParent = false;
    if (flags & Flag.Priority) {
      if (end - start < 5) {
        this.onOversizedFrame();
        return;
      }
      isOwnParent = (bytes.readUInt32BE(start) & maxWindowBytes) === streamId;
      start += 5;
    }
    if (flags & Flag.EndHeaders) {
      this.#onBlock(streamId, isEnd, bytes, start, end);
      if (isOwnParent) this.#resetById(streamId, ErrorCode.ProtocolError);
      return;
    }
    const piece = Buffer.from(bytes.subarray(start, end));
    this.#block = { streamId, isEnd, pieces: [piece], sizeBytes: piece.length };
    this.#events.onHeadStarted();
  }

  #onContinuation(block: HeaderBlock, flags: number, bytes: Buffer, start: number, end: number): void {
    const isEnd = (flags & Flag.EndHeaders) !== 0;
    if (this.#guard.frameWithPayload(end === start && !isEnd)) {
      this.#flood("empty frames");
      return;
    }
    block.pieces.push(Buffer.from(bytes.subarray(start, end)));
    block.sizeBytes += end - start;
    // Compressed, a head within the limits is hardly larger than its fields; many tiny pieces are no head either.
    if (block.sizeBytes > this.#options.limits.maxBytes + maxFrameBytes || block.pieces.length > 1024) {
      this.#flood("continuation");
      return;
    }
    if (!isEnd) return;
    this.#block = undefined;
    this.#onBlock(block.streamId, block.isEnd, Buffer.concat(block.pieces), 0, block.sizeBytes);
  }

  #onBlock(streamId: number, isEnd: boolean, bytes: Buffer, start: number, end: number): void {
    fields.length = 0;
    if (!this.#decoder.decode(bytes, start, end, fields)) {
      this.#fail(ErrorCode.CompressionError, "http2.compression_error");
      return;
    }
    const stream = this.#streams.get(streamId);
    if (stream) this.#onTrailers(stream, isEnd);
    else if (streamId > this.#lastStreamId) this.#open(streamId, isEnd, end - start);
    else if (!this.#resetHere.has(streamId)) this.#fail(ErrorCode.StreamClosed, "http2.stream_closed");
  }

  #open(streamId: number, isEnd: boolean, headBytes: number): void {
    this.#guard.streamOpened();
    this.#lastStreamId = streamId;
    if (this.#isFinal || this.#streams.size >= this.#plan.maxConcurrentStreams) {
      this.#sendReset(streamId, ErrorCode.RefusedStream);
      return;
    }
    if (this.#decoder.isOverLimit) {
      this.#sendReset(streamId, ErrorCode.InternalError);
      return;
    }
    const head = parseRequestFields(fields);
    if (!head || (isEnd && head.contentLength > 0)) {
      this.#malformed(streamId, undefined);
      return;
    }
    head.scheme = this.#options.isTls ? "https" : "http";
    const nowMs = this.#options.timers.clock.monotonicMs();
    const window = this.#plan.streamWindowBytes;
    const stream = new Http2ServerStream(this, streamId, head, nowMs, window, this.#peerStreamWindow);
    this.#streams.set(streamId, stream);
    stream.isRequestDone = isEnd;
    if (head.authority === "") {
      this.#events.onBadRequest(stream, { status: 400, details: "missing_host_header" });
      return;
    }
    if (head.expectsContinue && !isEnd) this.#writeHeaders(streamId, 100, [], false);
    this.#events.onRequest(stream, head, isEnd, { headBytes, protocol: "HTTP/2" });
  }

  #onTrailers(stream: Http2ServerStream, isEnd: boolean): void {
    if (stream.isRequestDone || stream.heldEnd !== "none") {
      this.#abort(stream, ErrorCode.StreamClosed);
      return;
    }
    const trailers = parseTrailerFields(fields.slice());
    const isShort = stream.contentLength >= 0 && stream.receivedBytes < stream.contentLength;
    if (!isEnd || !trailers || isShort || this.#decoder.isOverLimit) {
      this.#malformed(stream.id, stream);
      return;
    }
    if (stream.held) {
      stream.heldEnd = trailers;
      return;
    }
    stream.isRequestDone = true;
    stream.receiver.onRequestTrailers(trailers);
    this.#closeIfDone(stream);
  }

  #onReset(streamId: number): void {
    if (streamId === 0 || streamId > this.#lastStreamId) {
      this.#violation();
      return;
    }
    const stream = this.#streams.get(streamId);
    if (!stream) return;
    this.#forget(stream);
    stream.receiver.onRequestReset("remote-reset");
    const ageMs = this.#options.timers.clock.monotonicMs() - stream.openedMs;
    if (this.#guard.resetByPeer(ageMs)) this.#flood("premature resets");
  }

  #onSettings(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const isAck = (flags & Flag.Ack) !== 0;
    if (streamId !== 0) {
      this.#violation();
      return;
    }
    if ((isAck && end > start) || (end - start) % 6 !== 0) {
      this.onOversizedFrame();
      return;
    }
    if (isAck) return;
    for (let at = start; at < end; at += 6) {
      if (!this.#applySetting(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2))) return;
    }
    this.#state = "open";
    this.#sendControl(settingsAck);
  }

  #applySetting(id: number, value: number): boolean {
    switch (id) {
      case Setting.HeaderTableSize:
        this.#encoder.setPeerTableSize(value);
        return true;
      case Setting.EnablePush:
        if (value <= 1) return true;
        this.#violation();
        return false;
      case Setting.MaxFrameSize:
        // Frames of the smallest maximum are always welcome.
        if (value >= maxFrameBytes && value <= 0xffffff) return true;
        this.#violation();
        return false;
      case Setting.InitialWindowSize:
        return this.#resizeWindows(value);
      default:
        return true;
    }
  }

  #resizeWindows(sizeBytes: number): boolean {
    if (sizeBytes > maxWindowBytes) {
      this.#fail(ErrorCode.FlowControlError, "http2.flow_control_error");
      return false;
    }
    const change = sizeBytes - this.#peerStreamWindow;
    this.#peerStreamWindow = sizeBytes;
    for (const stream of this.#streams.values()) {
      stream.sendWindow += change;
      if (stream.sendWindow > maxWindowBytes) {
        this.#fail(ErrorCode.FlowControlError, "http2.flow_control_error");
        return false;
      }
      if (change > 0) this.#flushPending(stream);
    }
    return true;
  }

  #onPing(flags: number, bytes: Buffer, start: number): void {
    if ((flags & Flag.Ack) === 0) {
      const answer = Buffer.allocUnsafe(17);
      writeFrameHead(answer, 0, 8, FrameType.Ping, Flag.Ack, 0);
      bytes.copy(answer, frameHeadBytes, start, start + 8);
      this.#sendControl(answer);
      return;
    }
    if (!this.isDraining || this.#isFinal) return;
    this.#goAway(ErrorCode.NoError);
    if (this.isIdle) this.#events.onIdle();
  }

  #onWindowUpdate(streamId: number, increment: number): void {
    if (this.#guard.windowUpdate()) {
      this.#flood("window updates");
      return;
    }
    if (streamId === 0) {
      this.#sendWindow += increment;
      if (increment === 0) this.#violation();
      else if (this.#sendWindow > maxWindowBytes) {
        this.#fail(ErrorCode.FlowControlError, "http2.flow_control_error");
      } else for (const stream of this.#streams.values()) this.#flushPending(stream);
      return;
    }
    if (streamId > this.#lastStreamId) {
      this.#violation();
      return;
    }
    const stream = this.#streams.get(streamId);
    if (!stream) return;
    stream.sendWindow += increment;
    if (increment === 0) this.#abort(stream, ErrorCode.ProtocolError);
    else if (stream.sendWindow > maxWindowBytes) this.#abort(stream, ErrorCode.FlowControlError);
    else this.#flushPending(stream);
  }

  /** Sends what the windows allow of what waits. */
  #flushPending(stream: Http2ServerStream): void {
    const { pending } = stream;
    if (!pending || this.#sendWindow <= 0 || stream.sendWindow <= 0) return;
    while (pending.length > 0) {
      const chunk = pending[0]!;
      const isLast = stream.isAnswered && pending.length === 1 && !stream.pendingTrailers;
      const sent = this.#writeData(stream, chunk, isLast);
      stream.pendingBytes -= sent;
      if (sent < chunk.length) {
        pending[0] = chunk.subarray(sent);
        if (stream.isAnswered) this.#watchFlush(stream);
        break;
      }
      pending.shift();
    }
    if (pending.length === 0) {
      stream.pending = undefined;
      if (stream.pendingTrailers) {
        this.#writeTrailers(stream, stream.pendingTrailers);
        return;
      }
      if (stream.isAnswered) {
        this.#answered(stream);
        return;
      }
    }
    if (stream.wasBlocked && stream.pendingBytes <= maxPendingBytes >> 1) {
      stream.wasBlocked = false;
      stream.receiver.onResponseWritable();
    }
  }

  /** Writes as much of `chunk` as the windows allow; the number of bytes. */
  #writeData(stream: Http2ServerStream, chunk: Buffer, end: boolean): number {
    const { length } = chunk;
    const allowed = Math.max(0, Math.min(length, this.#sendWindow, stream.sendWindow));
    if (length > 0 && allowed === 0) return 0;
    if (length === 0 && !end) return 0;
    let sent = 0;
    do {
      const count = Math.min(allowed - sent, maxFrameBytes);
      const isEnd = end && sent + count === length;
      writeFrameHead(frameHead, 0, count, FrameType.Data, isEnd ? Flag.EndStream : 0, stream.id);
      if (this.#guard.dataFrameSent(this.connection.unsentBytes === 0)) {
        this.#flood("outbound frames");
        return length;
      }
      this.connection.write(frameHead);
      if (count > 0) this.connection.write(count === length ? chunk : chunk.subarray(sent, sent + count));
      sent += count;
    } while (sent < allowed);
    this.#sendWindow -= sent;
    stream.sendWindow -= sent;
    return sent;
  }

  #writeTrailers(stream: Http2ServerStream, trailers: HeaderList): void {
    if (trailers.flat.length > 0) this.#writeHeaders(stream.id, 0, trailers.flat, true);
    else this.#writeData(stream, nothing, true);
    this.#answered(stream);
  }

  /** `status` 0 is for trailers. */
  #writeHeaders(streamId: number, status: number, flat: readonly string[], end: boolean): void {
    const encoder = this.#encoder;
    encoder.begin(frameHeadBytes);
    if (status > 0) encoder.field(":status", `${status}`);
    for (let i = 0; i < flat.length; i += 2) encoder.field(flat[i]!, flat[i + 1]!);
    const frame = encoder.finish();
    if (this.#guard.frameSent(this.connection.unsentBytes === 0)) {
      this.#flood("outbound frames");
      return;
    }
    const length = frame.length - frameHeadBytes;
    const endFlag = end ? Flag.EndStream : 0;
    if (length <= maxFrameBytes) {
      writeFrameHead(frame, 0, length, FrameType.Headers, endFlag | Flag.EndHeaders, streamId);
      this.connection.write(frame);
      return;
    }
    writeFrameHead(frame, 0, maxFrameBytes, FrameType.Headers, endFlag, streamId);
    this.connection.write(frame.subarray(0, frameHeadBytes + maxFrameBytes));
    for (let at = frameHeadBytes + maxFrameBytes; at < frame.length; at += maxFrameBytes) {
      const count = Math.min(maxFrameBytes, frame.length - at);
      const flags = at + count === frame.length ? Flag.EndHeaders : 0;
      writeFrameHead(frameHead, 0, count, FrameType.Continuation, flags, streamId);
      this.connection.write(frameHead);
      this.connection.write(frame.subarray(at, at + count));
    }
  }

  /** Gives back window for data that has been consumed, in steps worth a frame. */
  #credit(stream: Http2ServerStream | undefined, count: number): void {
    if (count === 0 || this.#state === "closed") return;
    this.#uncredited += count;
    if (this.#uncredited * 2 >= this.#plan.connectionWindowBytes) {
      this.connection.write(wordFrame(FrameType.WindowUpdate, 0, this.#uncredited));
      this.#receiveWindow += this.#uncredited;
      this.#uncredited = 0;
    }
    if (!stream || stream.isGone || stream.isRequestDone || stream.heldEnd !== "none") return;
    stream.uncredited += count;
    if (stream.uncredited * 2 >= this.#plan.streamWindowBytes) {
      this.connection.write(wordFrame(FrameType.WindowUpdate, stream.id, stream.uncredited));
      stream.receiveWindow += stream.uncredited;
      stream.uncredited = 0;
    }
  }

  /** The last of the answer is written. A client still sending is told to stop. */
  #answered(stream: Http2ServerStream): void {
    stream.isAnswered = true;
    stream.pending = undefined;
    if (!stream.isRequestDone) this.#sendReset(stream.id, ErrorCode.NoError);
    this.#forget(stream);
  }

  #closeIfDone(stream: Http2ServerStream): void {
    if (!stream.isGone && stream.isAnswered && !stream.pending) this.#forget(stream);
  }

  #forget(stream: Http2ServerStream): void {
    if (stream.isGone) return;
    stream.isGone = true;
    stream.flushTimer?.stop();
    if (stream.held) for (const chunk of stream.held) this.#credit(undefined, chunk.length);
    stream.held = undefined;
    stream.pending = undefined;
    this.#guard.streamClosed();
    this.#streams.delete(stream.id);
    if (this.isIdle && this.#state !== "closed") this.#events.onIdle();
  }

  /** An answer that is complete here but waits for the client's window must not wait for ever. */
  #watchFlush(stream: Http2ServerStream): void {
    const { timers, flushTimeoutMs } = this.#options;
    stream.flushTimer ??= new TimerEntry(
      {
        onTimer: () => {
          this.#sendReset(stream.id, ErrorCode.Cancel);
          this.#forget(stream);
        },
      },
      0,
    );
    timers.start(stream.flushTimer, flushTimeoutMs, timers.clock.monotonicMs());
  }

  /** Ends one stream for an error of the client's. */
  #abort(stream: Http2ServerStream, code: number): void {
    this.#sendReset(stream.id, code);
    this.#forget(stream);
    stream.receiver.onRequestReset("remote-reset");
  }

  #resetById(streamId: number, code: number): void {
    const stream = this.#streams.get(streamId);
    if (stream) this.#abort(stream, code);
    else this.#sendReset(streamId, code);
  }

  /** A message that HTTP does not allow, in well-formed frames. @see RFC 9113 §8.1.1 */
  #malformed(streamId: number, stream: Http2ServerStream | undefined): void {
    if (!this.#plan.keepsConnectionOnBadMessage) {
      this.#fail(ErrorCode.ProtocolError, "http2.violation.of.messaging.rule");
      return;
    }
    if (stream) this.#abort(stream, ErrorCode.ProtocolError);
    else this.#sendReset(streamId, ErrorCode.ProtocolError);
  }

  #sendReset(streamId: number, code: number): void {
    if (this.#resetHere.size >= maxRemembered) {
      for (const oldest of this.#resetHere) {
        this.#resetHere.delete(oldest);
        break;
      }
    }
    this.#resetHere.add(streamId);
    this.#sendControl(wordFrame(FrameType.RstStream, streamId, code));
  }

  #sendControl(frame: Buffer): void {
    if (this.#state === "closed") return;
    if (this.#guard.controlFrameSent(this.connection.unsentBytes === 0)) this.#flood("control frames");
    else this.connection.write(frame);
  }

  #goAway(code: number): void {
    this.#isFinal = true;
    this.connection.write(wordFrame(FrameType.Goaway, 0, this.#lastStreamId, code));
  }

  #violation(): void {
    this.#fail(ErrorCode.ProtocolError, "http2.protocol_error");
  }

  #flood(what: string): void {
    this.#fail(ErrorCode.EnhanceYourCalm, `http2.flood: ${what}`);
  }

  #fail(code: number, details: string): void {
    if (this.#state === "closed") return;
    this.isDraining = true;
    this.#goAway(code);
    this.#state = "closed";
    this.#block = undefined;
    this.#reader.stop();
    this.#events.onProtocolError(details);
    this.#dropStreams();
    this.connection.closeGracefully();
  }

  #dropStreams(): void {
    for (const stream of [...this.#streams.values()]) {
      this.#forget(stream);
      stream.receiver.onRequestReset("remote-reset");
    }
  }
}
