import type { HeaderList } from "../layer/header-list.ts";
import type { ResetReason } from "../layer/stream.ts";
import { checkUnderscores, type UnderscoreAction } from "../layer/underscored-fields.ts";
import type { Connection } from "../net/connection.ts";
import type { CloseCause, ConnectionHandler } from "../net/connection-handler.ts";
import type { Timers } from "../net/timers.ts";
import { BodyReceiver } from "./body-receiver.ts";
import { BodySender } from "./body-sender.ts";
import { FloodGuard } from "./flood-guard.ts";
import { FrameReader } from "./frame-reader.ts";
import { FrameRules, type SessionFrames } from "./frame-rules.ts";
import { FrameWriter } from "./frame-writer.ts";
import {
  defaultWindowBytes,
  ErrorCode,
  Flag,
  FrameType,
  pingFrame,
  Setting,
  settingsFrame,
  wordFrame,
} from "./frames.ts";
import { type HeaderBlockSink, HeaderBlocks } from "./header-blocks.ts";
import { type FieldLimits, HpackDecoder } from "./hpack-decoder.ts";
import type { Http2Plan } from "./http2-plan.ts";
import type { Http2Stream, StreamCarrier } from "./http2-stream.ts";
import { KeepAlive, type KeepAliveSession } from "./keep-alive.ts";
import { PeerSettings } from "./peer-settings.ts";
import { parseTrailerFields } from "./request-fields.ts";
import type { SessionControl } from "./session-control.ts";
import { StreamTable } from "./stream-table.ts";

const settingsAck = wordFrame(FrameType.Settings, 0);
settingsAck[4] = Flag.Ack;
const fields: string[] = [];
const keepAlivePayload = Buffer.from("weftlive");

/** What a peer that stopped reading or sending may keep us waiting, and where it is told. */
export interface SessionOptions {
  readonly plan: Http2Plan;
  readonly limits: FieldLimits;
  readonly timers: Timers;
  /** How long what is complete here may wait for the peer's window without any progress; 0 is for ever. */
  readonly flushTimeoutMs: number;
}

/**
 * What both ends of an HTTP/2 connection have in common: from its settings over
 * the messages that pass to its end. The parts are objects of their own: frames
 * as they come (`FrameRules`) and go (`FrameWriter`), header blocks, bodies in
 * either direction, and which streams there are.
 *
 * Memory is bounded by the connection window for what is received and by
 * `maxPendingBytes` of each stream for what is sent. A peer that breaks the
 * protocol gets GOAWAY and its connection is closed.
 *
 * @see RFC 9113
 */
export abstract class Http2Session<S extends Http2Stream>
  implements
    ConnectionHandler,
    StreamCarrier,
    HeaderBlockSink,
    SessionControl,
    SessionFrames,
    KeepAliveSession
{
  readonly connection: Connection;
  isDraining = false;
  lastStreamId = 0;
  state: "preface" | "settings" | "open" | "closed";
  protected readonly options: SessionOptions;
  protected readonly plan: Http2Plan;
  protected readonly decoder: HpackDecoder;
  protected readonly guard: FloodGuard;
  protected readonly writer: FrameWriter;
  protected readonly table: StreamTable<S>;
  protected readonly peer: PeerSettings;
  /** GOAWAY with the real last stream was sent: later ones are refused. */
  protected isFinal = false;
  readonly #isServer: boolean;
  readonly #reader: FrameReader;
  readonly #blocks: HeaderBlocks;
  readonly #sender: BodySender;
  readonly #receiver: BodyReceiver;
  readonly #keepAlive: KeepAlive | undefined;

  constructor(connection: Connection, options: SessionOptions, isServer: boolean) {
    const { plan, limits, timers, flushTimeoutMs } = options;
    this.#isServer = isServer;
    this.state = isServer ? "preface" : "settings";
    this.connection = connection;
    this.options = options;
    this.plan = plan;
    this.decoder = new HpackDecoder(limits, plan.hpackTableBytes);
    this.guard = new FloodGuard(plan);
    this.writer = new FrameWriter(connection, this.guard, this);
    this.table = new StreamTable<S>(this.writer, this.guard, this, {
      endsWhenSent: isServer,
      keepsConnectionOnBadMessage: plan.keepsConnectionOnBadMessage,
      ageMs: (stream) => timers.clock.monotonicMs() - stream.openedMs,
      onForgotten: (stream) => this.#onForgotten(stream),
    });
    this.#blocks = new HeaderBlocks(this, this.guard, this, limits.maxBytes);
    this.#sender = new BodySender(this.writer, this.guard, this, this.table, timers, flushTimeoutMs);
    this.#receiver = new BodyReceiver(this.writer, this, this.table, plan);
    this.peer = new PeerSettings(this.writer, this.#sender, this);
    const rules = new FrameRules(this, this.guard, this.table, this.#blocks, this.#receiver, this.#sender);
    this.#reader = new FrameReader(rules);
    this.#keepAlive = plan.keepAlive && new KeepAlive(plan.keepAlive, timers, this);
  }

  get isIdle(): boolean {
    return this.table.streams.size === 0 && !this.isHeadIncomplete;
  }

  get isClosed(): boolean {
    return this.state === "closed";
  }

  get isWritable(): boolean {
    return this.connection.isWritable;
  }

  /** Whether nothing more can come of this connection once it is idle. */
  get isDrained(): boolean {
    return this.isFinal;
  }

  protected get isHeadIncomplete(): boolean {
    return this.#blocks.openStreamId !== 0;
  }

  /** Makes a stream known, under its windows. */
  protected open(streamId: number, stream: S): void {
    stream.id = streamId;
    stream.openedMs = this.options.timers.clock.monotonicMs();
    this.#receiver.open(stream);
    this.#sender.open(stream);
    this.table.streams.add(stream);
  }

  onRead(bytes: Buffer, start: number, end: number): void {
    this.#reader.read(bytes, start, end);
  }

  onEnd(): void {
    this.connection.destroy({ kind: "remote" });
  }

  onWritable(): void {
    for (const stream of this.table.streams.list()) {
      if (stream.isWritable) stream.deliverWritable();
    }
  }

  /** Subclasses tell their owner as well. */
  onClosed(_cause: CloseCause): void {
    this.state = "closed";
    this.#keepAlive?.stop();
    this.table.drop("connection-termination");
  }

  /** Ends the connection once everything written has been sent; streams in progress are lost. */
  close(): void {
    if (this.state === "closed") return;
    if (!this.isFinal) this.goAway(ErrorCode.NoError);
    this.state = "closed";
    this.#reader.stop();
    this.connection.closeGracefully();
  }

  protected sendSettings(): void {
    const { hpackTableBytes, maxConcurrentStreams, streamWindowBytes, connectionWindowBytes } = this.plan;
    const settings: [number, number][] = [
      [Setting.HeaderTableSize, hpackTableBytes],
      this.#isServer ? [Setting.MaxConcurrentStreams, maxConcurrentStreams] : [Setting.EnablePush, 0],
      [Setting.InitialWindowSize, streamWindowBytes],
      [Setting.MaxHeaderListSize, this.options.limits.maxBytes],
    ];
    if (this.#isServer && this.plan.allowsConnect) settings.push([Setting.EnableConnectProtocol, 1]);
    this.writer.write(settingsFrame(settings));
    if (connectionWindowBytes > defaultWindowBytes) {
      this.writer.write(wordFrame(FrameType.WindowUpdate, 0, connectionWindowBytes - defaultWindowBytes));
    }
  }

  resumeReceiving(stream: Http2Stream): void {
    this.#receiver.resume(stream);
  }

  sendData(stream: S, chunk: Buffer, end: boolean): void {
    this.#sender.data(stream, chunk, end);
  }

  /** Sends what waits of a stream that has only now been opened. */
  protected flush(stream: S): void {
    this.#sender.flush(stream);
  }

  sendTrailers(stream: S, trailers: HeaderList): void {
    this.#sender.trailers(stream, trailers);
  }

  resetStream(stream: S, reason: ResetReason, code: number = ErrorCode.InternalError): void {
    this.table.sendReset(stream.id, reason === "protocol-error" ? ErrorCode.ProtocolError : code);
    this.table.forget(stream);
  }

  onBlock(streamId: number, isEnd: boolean, bytes: Buffer, start: number, end: number): void {
    fields.length = 0;
    if (!this.decoder.decode(bytes, start, end, fields)) {
      this.fail(ErrorCode.CompressionError, "http2.compression_error");
      return;
    }
    const stream = this.table.get(streamId);
    if (!stream) {
      if (streamId > this.lastStreamId) this.onNewStream(streamId, fields, isEnd, end - start);
      else if (!this.table.wasReset(streamId)) this.fail(ErrorCode.StreamClosed, "http2.stream_closed");
    } else if (stream.isReceived || stream.heldEnd !== "none") {
      this.table.abort(stream, ErrorCode.StreamClosed);
    } else this.onFields(stream, fields, isEnd);
  }

  onOwnParent(streamId: number): void {
    this.table.abortById(streamId, ErrorCode.ProtocolError);
  }

  /** The last fields of a message. */
  protected onTrailers(
    stream: S,
    flat: readonly string[],
    isEnd: boolean,
    underscores: UnderscoreAction = "allow",
  ): void {
    const trailers = parseTrailerFields(flat.slice());
    if (trailers) checkUnderscores(trailers, underscores);
    const isShort = stream.contentLength >= 0 && stream.receivedBytes < stream.contentLength;
    if (!isEnd || !trailers || isShort || this.decoder.isOverLimit) this.table.malformed(stream.id);
    else this.#receiver.trailers(stream, trailers);
  }

  onReset(streamId: number, code: number): void {
    if (streamId === 0 || streamId > this.lastStreamId) {
      this.violation();
      return;
    }
    const stream = this.table.get(streamId);
    if (!stream) return;
    this.table.forget(stream);
    const isRefused = code === ErrorCode.RefusedStream;
    stream.deliverReset(resetReason(code), isRefused);
    this.table.countReset(stream);
  }

  onSettings(bytes: Buffer, start: number, end: number): void {
    if (!this.peer.apply(bytes, start, end)) return;
    if (this.state !== "open") this.#keepAlive?.start();
    this.state = "open";
    this.writer.control(settingsAck);
    this.#sender.flushGrown();
    this.onSettled();
  }

  onPing(payload: Buffer): void {
    this.writer.control(pingFrame(payload, Flag.Ack));
  }

  onPingAnswered(payload: Buffer): void {
    if (payload.equals(keepAlivePayload)) this.#keepAlive?.onAnswer();
    else this.onDrainAnswered(payload);
  }

  sendKeepAlive(): void {
    this.writer.write(pingFrame(keepAlivePayload, 0));
  }

  onKeepAliveLost(): void {
    this.connection.destroy();
  }

  protected goAway(code: number): void {
    this.isFinal = true;
    this.writer.write(wordFrame(FrameType.Goaway, 0, this.#isServer ? this.lastStreamId : 0, code));
  }

  violation(): void {
    this.fail(ErrorCode.ProtocolError, "http2.protocol_error");
  }

  flood(what: string): void {
    this.fail(ErrorCode.EnhanceYourCalm, `http2.flood: ${what}`);
  }

  frameSizeError(): void {
    this.fail(ErrorCode.FrameSizeError, "http2.frame_size_error");
  }

  fail(code: number, details: string): void {
    if (this.state === "closed") return;
    this.isDraining = true;
    this.goAway(code);
    this.state = "closed";
    this.#blocks.drop();
    this.#reader.stop();
    this.onProtocolError(details);
    this.table.drop("protocol-error");
    this.connection.closeGracefully();
  }

  #onForgotten(stream: Http2Stream): void {
    this.#receiver.drop(stream);
    if (this.state !== "closed") this.onStreamGone();
  }

  /** A header block began that is not complete. */
  abstract onHeadStarted(): void;
  /** Fields on a known stream that has not ended: trailers, or a client's answer. `flat` is valid during the call. */
  protected abstract onFields(stream: S, flat: readonly string[], isEnd: boolean): void;
  /** Fields on a stream nobody knows yet. */
  protected abstract onNewStream(
    streamId: number,
    flat: readonly string[],
    isEnd: boolean,
    headBytes: number,
  ): void;
  protected abstract onStreamGone(): void;
  protected abstract onProtocolError(details: string): void;
  abstract onGoaway(lastStreamId: number): void;
  /** The peer's settings are known. */
  protected abstract onSettled(): void;
  /** A PING was answered that is not the keep-alive's. */
  protected abstract onDrainAnswered(payload: Buffer): void;
}

function resetReason(code: number): ResetReason {
  switch (code) {
    case ErrorCode.RefusedStream:
      return "remote-refused";
    case ErrorCode.ProtocolError:
      return "protocol-error";
    default:
      return "remote-reset";
  }
}
