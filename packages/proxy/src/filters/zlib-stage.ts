import type { Transform } from "node:stream";
import type { BodySink, BodyStage } from "../layer/body-stage.ts";
import type { FilterExchange } from "../layer/filter-exchange.ts";
import type { HeaderList } from "../layer/header-list.ts";

/** What a stage reports as bytes pass. */
export interface ZlibStageEvents {
  onBytes(read: number, written: number): void;
  /** The data is not what it was said to be, or grows beyond measure. Nothing follows. */
  onFailure(): void;
}

const nothing = Buffer.alloc(0);

/**
 * Passes a body through one of Node's compression streams, which work outside
 * the event loop. Holds no more than the streams' own buffers: a slow reader
 * stops the stream, and a full stream stops the writer.
 */
export class ZlibStage implements BodyStage {
  next!: BodySink;
  readonly #stream: Transform;
  readonly #exchange: FilterExchange;
  readonly #direction: "request" | "response";
  readonly #events: ZlibStageEvents;
  /** More bytes out for each byte in than this is a failure; 0 is without limit. */
  readonly #maxRatio: number;
  #read = 0;
  #written = 0;
  #trailers: HeaderList | undefined = undefined;
  #isPausing = false;
  #isOver = false;

  constructor(
    stream: Transform,
    exchange: FilterExchange,
    direction: "request" | "response",
    events: ZlibStageEvents,
    maxRatio = 0,
  ) {
    this.#stream = stream;
    this.#exchange = exchange;
    this.#direction = direction;
    this.#events = events;
    this.#maxRatio = maxRatio;
    stream.on("data", (chunk: Buffer) => this.#onOutput(chunk));
    stream.on("drain", () => this.#resumeWriter());
    stream.on("error", () => this.#fail());
    stream.on("end", () => this.#finish());
  }

  onData(chunk: Buffer, end: boolean): void {
    if (this.#isOver) return;
    if (chunk.length > 0) {
      this.#read += chunk.length;
      this.#events.onBytes(chunk.length, 0);
      if (!this.#stream.write(Buffer.from(chunk)) && !end) this.#pauseWriter();
    }
    if (end) this.#stream.end();
  }

  onTrailers(trailers: HeaderList): void {
    if (this.#isOver) return;
    this.#trailers = trailers;
    this.#stream.end();
  }

  onWritable(): void {
    if (this.#stream.isPaused()) this.#stream.resume();
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stream.destroy();
  }

  #onOutput(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#written += chunk.length;
    this.#events.onBytes(0, chunk.length);
    if (this.#maxRatio > 0 && this.#written > this.#maxRatio * this.#read) {
      this.#fail();
      return;
    }
    this.next.onData(chunk, false);
    const { isServerWritable, isClientWritable } = this.#exchange;
    const isWritable = this.#direction === "request" ? isServerWritable : isClientWritable;
    if (!isWritable && !this.#isOver) this.#stream.pause();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#resumeWriter();
    if (this.#trailers) this.next.onTrailers(this.#trailers);
    else this.next.onData(nothing, true);
  }

  #fail(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stream.destroy();
    this.#events.onFailure();
  }

  #pauseWriter(): void {
    if (this.#isPausing) return;
    this.#isPausing = true;
    if (this.#direction === "request") this.#exchange.pauseRequestBody();
    else this.#exchange.pauseResponseBody();
  }

  #resumeWriter(): void {
    if (!this.#isPausing) return;
    this.#isPausing = false;
    if (this.#direction === "request") this.#exchange.resumeRequestBody();
    else this.#exchange.resumeResponseBody();
  }
}
