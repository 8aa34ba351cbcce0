import type { HeaderList } from "../layer/header-list.ts";
import { ChunkedDecoder } from "./chunked-decoder.ts";
import type { Framing, HeadLimits } from "./head.ts";

/** Receives the parts of one message body; `end` or trailers come exactly once, last. */
export interface BodySink {
  onBodyData(chunk: Buffer, end: boolean): void;
  onBodyTrailers(trailers: HeaderList): void;
}

const nothing = Buffer.alloc(0);

/** Cuts one body out of a byte stream, by length, by chunks, or up to the end of the connection. */
export class BodyDecoder {
  readonly #sink: BodySink;
  readonly #limits: HeadLimits;
  #remaining = 0;
  #chunked: ChunkedDecoder | undefined;
  #isDone = true;

  constructor(sink: BodySink, limits: HeadLimits) {
    this.#sink = sink;
    this.#limits = limits;
  }

  /** Starts on a body of known framing; with neither length nor chunks it lasts until `finish`. */
  begin(framing: Framing): void {
    this.#isDone = false;
    this.#chunked = framing.isChunked ? new ChunkedDecoder(this.#limits) : undefined;
    this.#remaining =
      framing.isChunked || framing.contentLength < 0 ? Number.POSITIVE_INFINITY : framing.contentLength;
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  get hasFailed(): boolean {
    return this.#chunked?.hasFailed === true;
  }

  /** Whether the end of the connection is the end of the body. */
  get endsWithConnection(): boolean {
    return !this.#isDone && !this.#chunked && this.#remaining === Number.POSITIVE_INFINITY;
  }

  finish(): void {
    this.#isDone = true;
    this.#sink.onBodyData(nothing, true);
  }

  decode(bytes: Buffer, start: number, end: number): number {
    if (this.#chunked) return this.#decodeChunked(this.#chunked, bytes, start, end);
    const stop = Math.min(end, start + this.#remaining);
    this.#remaining -= stop - start;
    this.#isDone = this.#remaining === 0;
    this.#sink.onBodyData(bytes.subarray(start, stop), this.#isDone);
    return stop;
  }

  onBodyData(chunk: Buffer): void {
    this.#sink.onBodyData(chunk, false);
  }

  #decodeChunked(decoder: ChunkedDecoder, bytes: Buffer, start: number, end: number): number {
    const at = decoder.decode(bytes, start, end, this);
    if (decoder.isDone) {
      this.#isDone = true;
      const trailers = decoder.trailers;
      if (trailers && trailers.flat.length > 0) this.#sink.onBodyTrailers(trailers);
      else this.#sink.onBodyData(nothing, true);
    }
    return at;
  }
}
