import type { HeaderList } from "../layer/header-list.ts";
import type { ResetReason } from "../layer/stream.ts";
import type { CloseCause, Connection, ConnectionHandler } from "../net/connection.ts";
import { TimerEntry, type Timers } from "../net/timers.ts";
import { FloodGuard } from "./flood-guard.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import {
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
import { type Http2Stream, maxPendingBytes, type StreamCarrier } from "./http2-stream.ts";
import { parseTrailerFields } from "./request-fields.ts";

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
const fields: string[] = [];
/** Streams reset here whose frames may still be under way. */
const maxRemembered = 256;

/** What a peer that stopped reading or sending may keep us waiting, and where it is told. */
export interface SessionOptions {
  readonly plan: Http2Plan;
  readonly limits: FieldLimits;
  readonly timers: Timers;
  /** How long what is complete here may wait for the peer's window without any progress; 0 is for ever. */
  readonly flushTimeoutMs: number;
}

/**
 * What both ends of an HTTP/2 connection have in common: frames, settings,
 * header blocks, windows, floods and the end of it all.
 *
 * Memory is bounded by the connection window for what is received and by
 * `maxPendingBytes` of each stream for what is sent. A peer that breaks the
 * protocol gets GOAWAY and its connection is closed.
 *
 * @see RFC 9113
 */
export abstract class Http2Session<S extends Http2Stream>
  implements ConnectionHandler, FrameSink, StreamCarrier
{
  readonly connection: Connection;
  isDraining = false;
  protected readonly options: SessionOptions;
  protected readonly plan: Http2Plan;
  readonly #reader: FrameReader;
  protected readonly decoder: HpackDecoder;
  readonly #encoder = new HpackEncoder();
  protected readonly guard: FloodGuard;
  protected readonly streams = new Map<number, S>();
  readonly #resetHere = new Set<number>();
  protected state: "preface" | "settings" | "open" | "closed";
  protected lastStreamId = 0;
  /** GOAWAY with the real last stream was sent: later ones are refused. */
  protected isFinal = false;
  #block: HeaderBlock | undefined;
  #dataStream: S | undefined;
  #dataEnds = false;
  /** Octets of the DATA frame's flow-controlled length not yet delivered. */
  #dataLeft = 0;
  #receiveWindow: number;
  #uncredited = 0;
  #sendWindow = defaultWindowBytes;
  /** What the peer allows; no limit until it says. */
  protected peerMaxStreams = maxWindowBytes;
  protected peerStreamWindow = defaultWindowBytes;

  /** Whether a stream is over once all is sent, as a server's is, or once all is received. */
  readonly #endsWhenSent: boolean;

  constructor(connection: Connection, options: SessionOptions, isServer: boolean) {
    this.state = isServer ? "preface" : "settings";
    this.#endsWhenSent = isServer;
    this.connection = connection;
    this.options = options;
    this.plan = options.plan;
    this.#reader = new FrameReader(this);
    this.decoder = new HpackDecoder(options.limits, options.plan.hpackTableBytes);
    this.guard = new FloodGuard(options.plan);
    this.#receiveWindow = options.plan.connectionWindowBytes;
  }

  get isIdle(): boolean {
    return this.streams.size === 0 && !this.#block;
  }

  get isWritable(): boolean {
    return this.connection.isWritable;
  }

  /** Whether nothing more can come of this connection once it is idle. */
  get isDrained(): boolean {
    return this.isFinal;
  }

  protected get isHeadIncomplete(): boolean {
    return this.#block !== undefined;
  }

  /** Makes a stream known, under its windows. */
  protected open(streamId: number, stream: S): void {
    stream.id = streamId;
    stream.openedMs = this.options.timers.clock.monotonicMs();
    stream.receiveWindow = this.plan.streamWindowBytes;
    stream.sendWindow = this.peerStreamWindow;
    this.streams.set(streamId, stream);
  }

  onRead(bytes: Buffer, start: number, end: number): void {
    this.#reader.read(bytes, start, end);
  }

  onEnd(): void {
    this.connection.destroy({ kind: "remote" });
  }

  onWritable(): void {
    for (const stream of this.streams.values()) {
      if (stream.isWritable) stream.deliverWritable();
    }
  }

  /** Subclasses tell their owner as well. */
  onClosed(_cause: CloseCause): void {
    this.state = "closed";
    this.dropStreams("connection-termination");
  }

  /** Ends the connection once everything written has been sent; streams in progress are lost. */
  close(): void {
    if (this.state === "closed") return;
    this.goAway(ErrorCode.NoError);
    this.state = "closed";
    this.#reader.stop();
    this.connection.closeGracefully();
  }

  onOversizedFrame(): void {
    this.fail(ErrorCode.FrameSizeError, "http2.frame_size_error");
  }

  onBadPadding(): void {
    this.violation();
  }

  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const block = this.#block;
    if (block && (type !== FrameType.Continuation || streamId !== block.streamId)) {
      this.violation();
      return;
    }
    if (this.state === "settings" && (type !== FrameType.Settings || flags & Flag.Ack)) {
      this.violation();
      return;
    }
    const length = end - start;
    switch (type) {
      case FrameType.Headers:
        this.#onHeaders(flags, streamId, bytes, start, end);
        break;
      case FrameType.Continuation:
        if (block) this.#onContinuation(block, flags, bytes, start, end);
        else this.violation();
        break;
      case FrameType.Priority:
        if (streamId === 0) this.violation();
        else if (length !== 5) this.#resetById(streamId, ErrorCode.FrameSizeError);
        else if (this.guard.priorityFrame()) this.#flood("priority");
        else if ((bytes.readUInt32BE(start) & maxWindowBytes) === streamId) {
          this.#resetById(streamId, ErrorCode.ProtocolError);
        }
        break;
      case FrameType.RstStream:
        if (length !== 4) this.onOversizedFrame();
        else this.#onReset(streamId, bytes.readUInt32BE(start));
        break;
      case FrameType.Settings:
        this.#onSettings(flags, streamId, bytes, start, end);
        break;
      case FrameType.Ping:
        if (streamId !== 0) this.violation();
        else if (length !== 8) this.onOversizedFrame();
        else this.#onPing(flags, bytes, start);
        break;
      case FrameType.Goaway:
        if (streamId !== 0) this.violation();
        else if (length < 8) this.onOversizedFrame();
        else this.onGoaway(bytes.readUInt32BE(start) & maxWindowBytes);
        break;
      case FrameType.WindowUpdate:
        if (length !== 4) this.onOversizedFrame();
        else this.#onWindowUpdate(streamId, bytes.readUInt32BE(start) & maxWindowBytes);
        break;
      case FrameType.PushPromise:
        this.violation();
        break;
      default:
      // Unknown frames are ignored. @see RFC 9113 §5.5
    }
  }

  onDataFrame(streamId: number, flags: number, length: number): void {
    this.#dataStream = undefined;
    this.#dataEnds = (flags & Flag.EndStream) !== 0;
    this.#dataLeft = length;
    if (this.state !== "open" || this.#block || streamId === 0 || streamId > this.lastStreamId) {
      this.violation();
      return;
    }
    if (this.guard.frameWithPayload(length === 0 && !this.#dataEnds)) {
      this.#flood("empty frames");
      return;
    }
    this.#receiveWindow -= length;
    if (this.#receiveWindow < 0) {
      this.fail(ErrorCode.FlowControlError, "http2.flow_control_error");
      return;
    }
    const stream = this.streams.get(streamId);
    if (!stream) {
      if ((streamId & 1) === 0) this.violation();
      else if (!this.#resetHere.has(streamId)) this.sendReset(streamId, ErrorCode.StreamClosed);
      return;
    }
    if (stream.isReceived || stream.heldEnd !== "none") {
      this.abort(stream, ErrorCode.StreamClosed);
      return;
    }
    stream.receiveWindow -= length;
    if (stream.receiveWindow < 0) {
      this.abort(stream, ErrorCode.FlowControlError);
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
        this.malformed(stream.id, stream);
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
    if (isEnd) stream.isReceived = true;
    if (length > 0 || isEnd) stream.deliverData(bytes.subarray(start, end), isEnd);
    this.#credit(stream, length + padding);
    if (isEnd) this.received(stream);
  }

  resumeReceiving(target: Http2Stream): void {
    const stream = target as S;
    const { held } = stream;
    if (!held) return;
    while (held.length > 0 && !stream.isPaused && !stream.isGone) {
      const chunk = held.shift()!;
      const isEnd = held.length === 0 && stream.heldEnd === "data";
      if (isEnd) stream.isReceived = true;
      stream.deliverData(chunk, isEnd);
      this.#credit(stream, chunk.length);
    }
    if (stream.isGone || held.length > 0) return;
    stream.held = undefined;
    const end = stream.heldEnd;
    if (end === "none") return;
    if (!stream.isReceived) {
      stream.isReceived = true;
      if (end === "data") stream.deliverData(nothing, true);
      else stream.deliverTrailers(end);
    }
    this.received(stream);
  }

  sendData(stream: S, chunk: Buffer, end: boolean): void {
    if (end) stream.isSent = true;
    const sent = stream.pending ? 0 : this.#writeData(stream, chunk, end);
    if (sent < chunk.length) {
      stream.pending ??= [];
      stream.pending.push(Buffer.from(chunk.subarray(sent)));
      stream.pendingBytes += chunk.length - sent;
    }
    if (!end) return;
    if (stream.pending) this.watchFlush(stream);
    else this.sent(stream);
  }

  sendTrailers(stream: S, trailers: HeaderList): void {
    stream.isSent = true;
    if (stream.pending) {
      stream.pendingTrailers = trailers;
      this.watchFlush(stream);
      return;
    }
    this.#writeTrailers(stream, trailers);
  }

  resetStream(stream: S, reason: ResetReason, code: number = ErrorCode.InternalError): void {
    this.sendReset(stream.id, reason === "protocol-error" ? ErrorCode.ProtocolError : code);
    this.forget(stream);
  }

  protected sendSettings(isServer: boolean): void {
    const { hpackTableBytes, maxConcurrentStreams, streamWindowBytes, connectionWindowBytes } = this.plan;
    this.connection.write(
      settingsFrame([
        [Setting.HeaderTableSize, hpackTableBytes],
        isServer ? [Setting.MaxConcurrentStreams, maxConcurrentStreams] : [Setting.EnablePush, 0],
        [Setting.InitialWindowSize, streamWindowBytes],
        [Setting.MaxHeaderListSize, this.options.limits.maxBytes],
      ]),
    );
    if (connectionWindowBytes > defaultWindowBytes) {
      this.connection.write(wordFrame(FrameType.WindowUpdate, 0, connectionWindowBytes - defaultWindowBytes));
    }
  }

  #onHeaders(flags: number, streamId: number, bytes: Buffer, from: number, end: number): void {
    let start = from;
    if ((streamId & 1) === 0) {
      this.violation();
      return;
    }
    const isEnd = (flags & Flag.EndStream) !== 0;
    if (this.guard.frameWithPayload(end === start && !isEnd)) {
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
    this.onHeadStarted();
  }

  #onContinuation(block: HeaderBlock, flags: number, bytes: Buffer, start: number, end: number): void {
    const isEnd = (flags & Flag.EndHeaders) !== 0;
    if (this.guard.frameWithPayload(end === start && !isEnd)) {
      this.#flood("empty frames");
      return;
    }
    block.pieces.push(Buffer.from(bytes.subarray(start, end)));
    block.sizeBytes += end - start;
    // Compressed, a head within the limits is hardly larger than its fields; many tiny pieces are no head either.
    if (block.sizeBytes > this.options.limits.maxBytes + maxFrameBytes || block.pieces.length > 1024) {
      this.#flood("continuation");
      return;
    }
    if (!isEnd) return;
    this.#block = undefined;
    this.#onBlock(block.streamId, block.isEnd, Buffer.concat(block.pieces), 0, block.sizeBytes);
  }

  #onBlock(streamId: number, isEnd: boolean, bytes: Buffer, start: number, end: number): void {
    fields.length = 0;
    if (!this.decoder.decode(bytes, start, end, fields)) {
      this.fail(ErrorCode.CompressionError, "http2.compression_error");
      return;
    }
    const stream = this.streams.get(streamId);
    if (stream && (stream.isReceived || stream.heldEnd !== "none"))
      this.abort(stream, ErrorCode.StreamClosed);
    else if (stream) this.onFields(stream, fields, isEnd);
    else if (streamId > this.lastStreamId) this.onNewStream(streamId, fields, isEnd, end - start);
    else if (!this.#resetHere.has(streamId)) this.fail(ErrorCode.StreamClosed, "http2.stream_closed");
  }

  /** The last fields of a message. */
  protected onTrailers(stream: S, flat: readonly string[], isEnd: boolean): void {
    const trailers = parseTrailerFields(flat.slice());
    const isShort = stream.contentLength >= 0 && stream.receivedBytes < stream.contentLength;
    if (!isEnd || !trailers || isShort || this.decoder.isOverLimit) {
      this.malformed(stream.id, stream);
      return;
    }
    if (stream.held) {
      stream.heldEnd = trailers;
      return;
    }
    stream.isReceived = true;
    stream.deliverTrailers(trailers);
    this.received(stream);
  }

  #onReset(streamId: number, code: number): void {
    if (streamId === 0 || streamId > this.lastStreamId) {
      this.violation();
      return;
    }
    const stream = this.streams.get(streamId);
    if (!stream) return;
    this.forget(stream);
    const isRefused = code === ErrorCode.RefusedStream;
    stream.deliverReset(isRefused ? "remote-refused" : "remote-reset", isRefused);
    const ageMs = this.options.timers.clock.monotonicMs() - stream.openedMs;
    if (this.#endsWhenSent && this.guard.resetByPeer(ageMs)) this.#flood("premature resets");
  }

  #onSettings(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const isAck = (flags & Flag.Ack) !== 0;
    if (streamId !== 0) {
      this.violation();
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
    this.state = "open";
    this.sendControl(settingsAck);
    this.onSettled();
  }

  #applySetting(id: number, value: number): boolean {
    switch (id) {
      case Setting.HeaderTableSize:
        this.#encoder.setPeerTableSize(value);
        return true;
      case Setting.EnablePush:
        if (value <= 1) return true;
        this.violation();
        return false;
      case Setting.MaxConcurrentStreams:
        this.peerMaxStreams = value;
        return true;
      case Setting.MaxFrameSize:
        // Frames of the smallest maximum are always welcome.
        if (value >= maxFrameBytes && value <= 0xffffff) return true;
        this.violation();
        return false;
      case Setting.InitialWindowSize:
        return this.#resizeWindows(value);
      default:
        return true;
    }
  }

  #resizeWindows(sizeBytes: number): boolean {
    if (sizeBytes > maxWindowBytes) {
      this.fail(ErrorCode.FlowControlError, "http2.flow_control_error");
      return false;
    }
    const change = sizeBytes - this.peerStreamWindow;
    this.peerStreamWindow = sizeBytes;
    for (const stream of this.streams.values()) {
      stream.sendWindow += change;
      if (stream.sendWindow > maxWindowBytes) {
        this.fail(ErrorCode.FlowControlError, "http2.flow_control_error");
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
      this.sendControl(answer);
      return;
    }
    this.onPingAnswered();
  }

  #onWindowUpdate(streamId: number, increment: number): void {
    if (this.guard.windowUpdate()) {
      this.#flood("window updates");
      return;
    }
    if (streamId === 0) {
      this.#sendWindow += increment;
      if (increment === 0) this.violation();
      else if (this.#sendWindow > maxWindowBytes) {
        this.fail(ErrorCode.FlowControlError, "http2.flow_control_error");
      } else for (const stream of this.streams.values()) this.#flushPending(stream);
      return;
    }
    if (streamId > this.lastStreamId) {
      this.violation();
      return;
    }
    const stream = this.streams.get(streamId);
    if (!stream) return;
    stream.sendWindow += increment;
    if (increment === 0) this.abort(stream, ErrorCode.ProtocolError);
    else if (stream.sendWindow > maxWindowBytes) this.abort(stream, ErrorCode.FlowControlError);
    else this.#flushPending(stream);
  }

  /** Sends what the windows allow of what waits. */
  #flushPending(stream: S): void {
    const { pending } = stream;
    if (!pending || this.#sendWindow <= 0 || stream.sendWindow <= 0) return;
    while (pending.length > 0) {
      const chunk = pending[0]!;
      const isLast = stream.isSent && pending.length === 1 && !stream.pendingTrailers;
      const sent = this.#writeData(stream, chunk, isLast);
      stream.pendingBytes -= sent;
      if (sent < chunk.length) {
        pending[0] = chunk.subarray(sent);
        if (stream.isSent) this.watchFlush(stream);
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
      if (stream.isSent) {
        this.sent(stream);
        return;
      }
    }
    if (stream.wasBlocked && stream.pendingBytes <= maxPendingBytes >> 1) {
      stream.wasBlocked = false;
      stream.deliverWritable();
    }
  }

  /** Writes as much of `chunk` as the windows allow; the number of bytes. */
  #writeData(stream: S, chunk: Buffer, end: boolean): number {
    const { length } = chunk;
    const allowed = Math.max(0, Math.min(length, this.#sendWindow, stream.sendWindow));
    if (length > 0 && allowed === 0) return 0;
    if (length === 0 && !end) return 0;
    let sent = 0;
    do {
      const count = Math.min(allowed - sent, maxFrameBytes);
      const isEnd = end && sent + count === length;
      writeFrameHead(frameHead, 0, count, FrameType.Data, isEnd ? Flag.EndStream : 0, stream.id);
      if (this.guard.dataFrameSent(this.connection.unsentBytes === 0)) {
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

  #writeTrailers(stream: S, trailers: HeaderList): void {
    if (trailers.flat.length > 0) this.writeHeaders(stream.id, undefined, trailers.flat, undefined, true);
    else this.#writeData(stream, nothing, true);
    this.sent(stream);
  }

  /** `pseudo` and `extra` (flat, or undefined) come before and after the other fields. */
  protected writeHeaders(
    streamId: number,
    pseudo: readonly string[] | undefined,
    flat: readonly string[],
    extra: readonly string[] | undefined,
    end: boolean,
  ): void {
    const encoder = this.#encoder;
    encoder.begin(frameHeadBytes);
    if (pseudo) for (let i = 0; i < pseudo.length; i += 2) encoder.field(pseudo[i]!, pseudo[i + 1]!);
    for (let i = 0; i < flat.length; i += 2) encoder.field(flat[i]!, flat[i + 1]!);
    if (extra) for (let i = 0; i < extra.length; i += 2) encoder.field(extra[i]!, extra[i + 1]!);
    const frame = encoder.finish();
    if (this.guard.frameSent(this.connection.unsentBytes === 0)) {
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
  #credit(stream: S | undefined, count: number): void {
    if (count === 0 || this.state === "closed") return;
    this.#uncredited += count;
    if (this.#uncredited * 2 >= this.plan.connectionWindowBytes) {
      this.connection.write(wordFrame(FrameType.WindowUpdate, 0, this.#uncredited));
      this.#receiveWindow += this.#uncredited;
      this.#uncredited = 0;
    }
    if (!stream || stream.isGone || stream.isReceived || stream.heldEnd !== "none") return;
    stream.uncredited += count;
    if (stream.uncredited * 2 >= this.plan.streamWindowBytes) {
      this.connection.write(wordFrame(FrameType.WindowUpdate, stream.id, stream.uncredited));
      stream.receiveWindow += stream.uncredited;
      stream.uncredited = 0;
    }
  }

  /** The last of what is to be sent is written. A client still sending after its answer is told to stop. */
  protected sent(stream: S): void {
    stream.isSent = true;
    stream.pending = undefined;
    if (!stream.isReceived) {
      if (!this.#endsWhenSent) return;
      this.sendReset(stream.id, ErrorCode.NoError);
    }
    this.forget(stream);
  }

  /** The last of what is received was delivered. */
  protected received(stream: S): void {
    if (stream.isGone) return;
    if (stream.isSent && !stream.pending) this.forget(stream);
    else if (!this.#endsWhenSent) {
      this.sendReset(stream.id, ErrorCode.NoError);
      this.forget(stream);
    }
  }

  protected forget(stream: S): void {
    if (stream.isGone) return;
    stream.isGone = true;
    stream.flushTimer?.stop();
    if (stream.held) for (const chunk of stream.held) this.#credit(undefined, chunk.length);
    stream.held = undefined;
    stream.pending = undefined;
    this.guard.streamClosed();
    this.streams.delete(stream.id);
    if (this.state !== "closed") this.onStreamGone();
  }

  /** An answer that is complete here but waits for the client's window must not wait for ever. */
  protected watchFlush(stream: S): void {
    const { timers, flushTimeoutMs } = this.options;
    stream.flushTimer ??= new TimerEntry(
      {
        onTimer: () => {
          this.sendReset(stream.id, ErrorCode.Cancel);
          this.forget(stream);
          stream.deliverReset("local-reset", false);
        },
      },
      0,
    );
    timers.start(stream.flushTimer, flushTimeoutMs, timers.clock.monotonicMs());
  }

  /** Ends one stream for an error of the client's. */
  protected abort(stream: S, code: number): void {
    this.sendReset(stream.id, code);
    this.forget(stream);
    stream.deliverReset("protocol-error", false);
  }

  #resetById(streamId: number, code: number): void {
    const stream = this.streams.get(streamId);
    if (stream) this.abort(stream, code);
    else this.sendReset(streamId, code);
  }

  /** A message that HTTP does not allow, in well-formed frames. @see RFC 9113 §8.1.1 */
  protected malformed(streamId: number, stream: S | undefined): void {
    if (!this.plan.keepsConnectionOnBadMessage) {
      this.fail(ErrorCode.ProtocolError, "http2.violation.of.messaging.rule");
      return;
    }
    if (stream) this.abort(stream, ErrorCode.ProtocolError);
    else this.sendReset(streamId, ErrorCode.ProtocolError);
  }

  protected sendReset(streamId: number, code: number): void {
    if (this.#resetHere.size >= maxRemembered) {
      for (const oldest of this.#resetHere) {
        this.#resetHere.delete(oldest);
        break;
      }
    }
    this.#resetHere.add(streamId);
    this.sendControl(wordFrame(FrameType.RstStream, streamId, code));
  }

  protected sendControl(frame: Buffer): void {
    if (this.state === "closed") return;
    if (this.guard.controlFrameSent(this.connection.unsentBytes === 0)) this.#flood("control frames");
    else this.connection.write(frame);
  }

  protected goAway(code: number): void {
    this.isFinal = true;
    this.connection.write(wordFrame(FrameType.Goaway, 0, this.#endsWhenSent ? this.lastStreamId : 0, code));
  }

  protected violation(): void {
    this.fail(ErrorCode.ProtocolError, "http2.protocol_error");
  }

  #flood(what: string): void {
    this.fail(ErrorCode.EnhanceYourCalm, `http2.flood: ${what}`);
  }

  protected fail(code: number, details: string): void {
    if (this.state === "closed") return;
    this.isDraining = true;
    this.goAway(code);
    this.state = "closed";
    this.#block = undefined;
    this.#reader.stop();
    this.onProtocolError(details);
    this.dropStreams("protocol-error");
    this.connection.closeGracefully();
  }

  protected dropStreams(reason: ResetReason): void {
    for (const stream of [...this.streams.values()]) {
      this.forget(stream);
      stream.deliverReset(reason, false);
    }
  }

  /** Fields on a known stream that has not ended: trailers, or a client's answer. `flat` is valid during the call. */
  protected abstract onFields(stream: S, flat: readonly string[], isEnd: boolean): void;
  /** Fields on a stream nobody knows yet. */
  protected abstract onNewStream(
    streamId: number,
    flat: readonly string[],
    isEnd: boolean,
    headBytes: number,
  ): void;
  protected abstract onHeadStarted(): void;
  protected abstract onStreamGone(): void;
  protected abstract onProtocolError(details: string): void;
  protected abstract onGoaway(lastStreamId: number): void;
  /** The peer's settings are known. */
  protected abstract onSettled(): void;
  protected abstract onPingAnswered(): void;
}
