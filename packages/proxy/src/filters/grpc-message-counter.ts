import type { BodySink, BodyStage } from "../layer/body-stage.ts";
import type { HeaderList } from "../layer/header-list.ts";

const frameHeadBytes = 5;

/**
 * Counts the messages of a body that goes through as it is, from their heads
 * alone: each message begins with a flag and its length. Nothing is copied or
 * held, wherever chunks begin and end.
 *
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, Length-Prefixed-Message
 */
export class GrpcMessageCounter implements BodyStage {
  next!: BodySink;
  /** Messages whose head has come. */
  count = 0;
  readonly #isCounted: () => boolean;
  readonly #onBegun: ((messages: number) => void) | undefined;
  #headBytes = 0;
  #length = 0;
  #left = 0;

  /**
   * @param onBegun told of the messages that begin in a chunk, before it is handed on
   * @param isCounted asked with each chunk: whether this is a body of messages at all
   */
  constructor(onBegun?: (messages: number) => void, isCounted: () => boolean = always) {
    this.#onBegun = onBegun;
    this.#isCounted = isCounted;
  }

  onData(chunk: Buffer, end: boolean): void {
    if (chunk.length > 0 && this.#isCounted()) {
      const begun = this.#countBegun(chunk);
      this.count += begun;
      if (begun > 0) this.#onBegun?.(begun);
    }
    this.next.onData(chunk, end);
  }

  onTrailers(trailers: HeaderList): void {
    this.next.onTrailers(trailers);
  }

  /** Messages whose head is complete within this chunk. */
  #countBegun(chunk: Buffer): number {
    let begun = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const count = Math.min(this.#left, chunk.length - at);
        at += count;
        this.#left -= count;
        continue;
      }
      const byte = chunk[at++]!;
      this.#length = this.#headBytes === 0 ? 0 : this.#length * 256 + byte;
      this.#headBytes += 1;
      if (this.#headBytes < frameHeadBytes) continue;
      begun += 1;
      this.#headBytes = 0;
      this.#left = this.#length;
    }
    return begun;
  }
}

function always(): boolean {
  return true;
}
