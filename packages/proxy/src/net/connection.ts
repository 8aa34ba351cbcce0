import type { Socket } from "node:net";
import type { CloseCause, ConnectionHandler } from "./connection-handler.ts";
import type { ConnectionOptions } from "./connection-options.ts";
import { bytesOf, Output, writeToStream } from "./output.ts";
import { ReadBuffer } from "./read-buffer.ts";
import type { Region } from "./slab.ts";
import {
  handleOf,
  type StreamHandle,
  streamBinding,
  type WriteRequest,
  WriteRequests,
} from "./stream-binding.ts";
import type { TextWriter } from "./text-writer.ts";
import { TimerEntry, type Timers } from "./timers.ts";
import { enterTurn, leaveTurn, markDirty } from "./turn.ts";

export const closedHere: CloseCause = { kind: "local" };
const closedByPeer: CloseCause = { kind: "remote" };

const ignored: ConnectionHandler = { onRead() {}, onEnd() {}, onWritable() {}, onClosed() {} };

const endOfFile = -4095;
const lingerTimer = 0;

type State = "idle" | "open" | "lingering" | "closed";

/**
 * A connected byte stream, plain or TLS, with batched writes and bounded memory.
 *
 * Writes are copied into shared slabs and leave together at the end of the
 * event that caused them. The owner must stop writing while `isWritable` is
 * false: that, and not this class, bounds memory, because only the owner can
 * stop its own source.
 */
export class Connection {
  readonly socket: Socket;
  handler: ConnectionHandler = ignored;
  isDirty = false;
  /** How long the peer may take to close after us before the connection is cut; 0 is not at all. */
  lingerMs = 1000;
  bytesRead = 0;
  bytesWritten = 0;
  readonly #timers: Timers;
  readonly #limitBytes: number;
  readonly #onFault: ((error: unknown) => void) | undefined;
  readonly #handle: StreamHandle | undefined;
  readonly #requests = new WriteRequests();
  #state: State = "idle";
  #isPaused = false;
  #stash: Buffer[] | undefined;
  #hasEnded = false;
  #isEndStashed = false;
  readonly #output = new Output();
  #unsentBytes = 0;
  #inFlightBytes = 0;
  #inFlight: readonly Region[] | undefined;
  readonly #readBuffer = new ReadBuffer();
  #mayReadInBulk = false;
  readonly #hasWaited: boolean;
  #isBlocked = false;
  #endsWhenFlushed = false;
  #isWriteEnded = false;
  #linger: TimerEntry | undefined;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.socket = socket;
    this.#timers = options.timers;
    this.#limitBytes = options.bufferLimitBytes;
    this.#onFault = options.onFault;
    this.#hasWaited = options.hasWaited ?? false;
    this.#handle = options.isPortable ? undefined : handleOf(socket);
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#close({ kind: "error", code: error.code ?? "", message: error.message });
    });
    socket.on("close", () => this.#close(closedByPeer));
  }

  /** Begins to deliver, first what was read before this object took over. */
  start(handler: ConnectionHandler, initial?: Buffer): void {
    this.handler = handler;
    if (this.#state !== "idle") return;
    this.#state = "open";
    if (initial && initial.length > 0) this.#deliver(initial, 0, initial.length);
    if (this.#state !== "open") return;
    if (this.#handle) this.#readDirectly(this.#handle);
    else this.#readPortably();
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  get isWritable(): boolean {
    return !this.#isBlocked;
  }

  /** Bytes accepted by `write` that the kernel has not taken yet. */
  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  /** Copies the bytes and sends them at the end of the current event. */
  write(bytes: Uint8Array): void {
    if (this.#state !== "open" || this.#isWriteEnded) return;
    this.#output.append(bytes);
    this.#appended(bytes.length);
  }

  /**
   * Sends bytes without copying them where nothing waits to be sent before them.
   * False means the kernel has not taken them all: they must stay as they are,
   * and the connection is unwritable, until it has.
   */
  lend(bytes: Buffer): boolean {
    const handle = this.#handle;
    if (!handle || this.#inFlight || !this.#output.isEmpty) {
      this.write(bytes);
      return true;
    }
    if (this.#state !== "open" || this.#isWriteEnded) return true;
    const request = this.#requests.next(handle, this, onWriteComplete);
    const status = handle.writeBuffer(request, bytes);
    if (status !== 0) this.#close({ kind: "error", code: `${status}`, message: "write failed" });
    else if (streamBinding!.streamBaseState[streamBinding!.kLastWriteWasAsync] === 0) {
      this.bytesWritten += bytes.length;
    } else {
      this.#requests.taken();
      request.lent = bytes;
      this.#inFlight = [];
      this.#inFlightBytes = bytes.length;
      this.#unsentBytes += bytes.length;
      this.#isBlocked = true;
      return false;
    }
    return true;
  }

  /**
   * Whether what `onRead` is given lies in memory of this connection's own, which
   * stays as it is while reading is paused.
   */
  get hasOwnReadBuffer(): boolean {
    return this.#readBuffer.isOwn;
  }

  /** Lets a connection on which much comes in read into a buffer of its own, in larger pieces. */
  readInBulk(): void {
    this.#mayReadInBulk = this.#handle !== undefined && !("encrypted" in this.socket);
  }

  /** Sends text of code points below 256, one byte each. */
  writeLatin1(text: string): void {
    if (this.#state !== "open" || this.#isWriteEnded) return;
    this.#output.appendLatin1(text);
    this.#appended(text.length);
  }

  /** Where text of at most `maxBytes` is put together, to be sent like what `writeLatin1` is given; `endText` follows at once. */
  beginText(maxBytes: number): TextWriter {
    return this.#output.beginText(maxBytes);
  }

  endText(): void {
    if (this.#state !== "open" || this.#isWriteEnded) return;
    this.#appended(this.#output.endText());
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    if (this.#handle && this.#state === "open") {
      this.#handle.reading = false;
      this.#handle.readStop();
    } else if (!this.#handle) this.socket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#stash || this.#isEndStashed) {
      setImmediate(() => this.#deliverStash());
      return;
    }
    this.#restartReading();
  }

  /** Sends what is pending, then tells the peer that no more follows; reading goes on. */
  end(): void {
    if (this.#isWriteEnded || this.#state !== "open") return;
    this.#isWriteEnded = true;
    this.#endsWhenFlushed = true;
    markDirty(this);
  }

  /**
   * Sends what is pending and closes. The peer gets a moment to close first:
   * closing at once with unread input would make the kernel throw away what was
   * just sent.
   */
  closeGracefully(): void {
    if (this.#state === "closed" || this.#state === "lingering") return;
    if (this.#hasEnded && this.#unsentBytes === 0) {
      this.destroy();
      return;
    }
    this.end();
    this.#state = "lingering";
    this.#restartReading();
    this.#linger = new TimerEntry({ onTimer: () => this.destroy() }, lingerTimer);
    this.#timers.start(this.#linger, this.lingerMs, this.#timers.clock.monotonicMs());
  }

  /** Closes now, dropping what is unsent. */
  destroy(cause: CloseCause = closedHere): void {
    this.#close(cause);
  }

  /** Ends with a TCP reset, so that the peer cannot take what it got for complete. */
  reset(): void {
    if (this.#state === "closed") return;
    const socket = this.socket as Socket & { encrypted?: boolean };
    if (!socket.encrypted) socket.resetAndDestroy();
    this.#close(closedHere);
  }

  flush(): void {
    if (this.#inFlight || this.#state === "closed") return;
    if (!this.#output.isEmpty) {
      const regions = this.#output.take();
      this.#inFlightBytes = this.#unsentBytes;
      this.#inFlight = regions;
      if (this.#handle) this.#writeDirectly(this.#handle, regions);
      else writeToStream(this.socket, regions, (status) => this.written(status));
    } else if (this.#endsWhenFlushed) {
      this.#endsWhenFlushed = false;
      this.socket.end();
      if (this.#state === "lingering" && (this.#hasEnded || this.lingerMs === 0)) this.#finishAfterEnd();
    }
  }

  #appended(count: number): void {
    this.#unsentBytes += count;
    if (this.#unsentBytes > this.#limitBytes) this.#isBlocked = true;
    markDirty(this);
  }

  #writeDirectly(handle: StreamHandle, regions: readonly Region[]): void {
    const binding = streamBinding!;
    const request = this.#requests.next(handle, this, onWriteComplete);
    const status =
      regions.length === 1
        ? handle.writeBuffer(request, bytesOf(regions[0]!))
        : handle.writev(request, regions.map(bytesOf), true);
    if (status !== 0) this.#close({ kind: "error", code: `${status}`, message: "write failed" });
    else if (binding.streamBaseState[binding.kLastWriteWasAsync] === 0) this.written(0);
    else this.#requests.taken();
  }

  /** The write in flight, by `request` where it has one, reached the kernel or failed. Called by the write itself. */
  written(status: number, request?: WriteRequest): void {
    if (request) this.#requests.completed(request);
    const regions = this.#inFlight;
    if (!regions) return;
    this.#inFlight = undefined;
    this.#output.release(regions);
    if (this.#state === "closed") return;
    if (status < 0) {
      this.#close({ kind: "error", code: `${status}`, message: "write failed" });
      return;
    }
    this.bytesWritten += this.#inFlightBytes;
    this.#unsentBytes -= this.#inFlightBytes;
    if (this.#isBlocked && this.#unsentBytes <= this.#limitBytes >> 1) {
      this.#isBlocked = false;
      if (this.#state === "open") this.#guard(() => this.handler.onWritable());
    }
    if (!this.#output.isEmpty || this.#endsWhenFlushed) markDirty(this);
  }

  #readDirectly(handle: StreamHandle): void {
    const state = streamBinding!.streamBaseState;
    const kRead = streamBinding!.kReadBytesOrError;
    handle.useUserBuffer(this.#readBuffer.bytes);
    handle.onread = () => {
      const count = state[kRead]!;
      if (count > 0) {
        this.#deliver(this.#readBuffer.bytes, 0, count);
        if (this.#mayReadInBulk && this.#state === "open") this.#readBuffer.fit(handle, count);
      } else if (count === endOfFile) this.#ended();
      else if (count < 0) this.#close({ kind: "error", code: `${count}`, message: "read failed" });
    };
    // Bytes the socket read by itself before the handle was taken over.
    if (this.#hasWaited) this.socket.once("end", () => this.#ended());
    const hasEarly = this.#hasWaited || this.socket.readableLength > 0;
    const early = hasEarly ? (this.socket.read() as Buffer | null) : null;
    if (early) this.#deliver(early, 0, early.length);
    if (!this.#isPaused && this.#state === "open") {
      handle.reading = true;
      handle.readStart();
    }
  }

  #readPortably(): void {
    this.socket.on("data", (chunk: Buffer) => this.#deliver(chunk, 0, chunk.length));
    this.socket.on("end", () => this.#ended());
    if (!this.#isPaused) this.socket.resume();
  }

  #restartReading(): void {
    if (this.#state !== "open" && this.#state !== "lingering") return;
    if (!this.#handle) this.socket.resume();
    else if (!this.#hasEnded) {
      this.#handle.reading = true;
      this.#handle.readStart();
    }
  }

  #deliver(bytes: Buffer, start: number, end: number): void {
    this.bytesRead += end - start;
    if (this.#state !== "open") return;
    if (this.#isPaused) {
      // TLS may hand over what it had already decrypted when reading stopped.
      this.#stash ??= [];
      this.#stash.push(Buffer.from(bytes.subarray(start, end)));
      return;
    }
    enterTurn();
    try {
      this.handler.onRead(bytes, start, end);
    } catch (error) {
      this.#faulted(error);
    }
    leaveTurn();
  }

  #deliverStash(): void {
    while (this.#stash && !this.#isPaused) {
      const [chunk, ...rest] = this.#stash;
      this.#stash = rest.length > 0 ? rest : undefined;
      this.bytesRead -= chunk!.length;
      this.#deliver(chunk!, 0, chunk!.length);
    }
    if (this.#isPaused) return;
    if (this.#isEndStashed) {
      this.#isEndStashed = false;
      this.#guard(() => this.handler.onEnd());
      return;
    }
    this.#restartReading();
  }

  #ended(): void {
    this.#hasEnded = true;
    if (this.#state === "lingering") this.#finishAfterEnd();
    else if (this.#state === "open") {
      if (this.#isPaused) this.#isEndStashed = true;
      else this.#guard(() => this.handler.onEnd());
    }
  }

  #finishAfterEnd(): void {
    if (this.#unsentBytes === 0) this.destroy();
  }

  #guard(call: () => void): void {
    enterTurn();
    try {
      call();
    } catch (error) {
      this.#faulted(error);
    }
    leaveTurn();
  }

  #faulted(error: unknown): void {
    this.#onFault?.(error);
    this.#close({ kind: "error", code: "FAULT", message: String(error) });
  }

  #close(cause: CloseCause): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#linger?.stop();
    this.#output.release(this.#output.take());
    this.#stash = undefined;
    this.#readBuffer.giveBack();
    this.socket.destroy();
    this.#guard(() => this.handler.onClosed(cause));
    this.handler = ignored;
  }
}

function onWriteComplete(this: WriteRequest, status: number): void {
  const connection = this.connection as Connection;
  enterTurn();
  connection.written(status, this);
  leaveTurn();
}
