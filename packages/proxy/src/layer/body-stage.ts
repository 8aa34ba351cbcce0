import type { HeaderList } from "./header-list.ts";

/**
 * Takes one body in order: data*, trailers?; `end` is true exactly once, on the
 * last part. A chunk is valid only during the call: whoever keeps it copies it.
 */
export interface BodySink {
  onData(chunk: Buffer, end: boolean): void;
  onTrailers(trailers: HeaderList): void;
}

/**
 * Changes one body on its way; made by a filter for one exchange, so state is
 * its own. It may hand on more or fewer parts than it gets, now or later, but
 * ends exactly once. `next` is set before the first part arrives.
 */
export interface BodyStage extends BodySink {
  next: BodySink;
  /** Whoever reads behind it has room again; only asked of stages that wait for that. */
  onWritable?(): void;
  /** The exchange is over: give everything back, hand nothing on. */
  cancel?(): void;
}

/** The stages of one direction, in the order they were added. */
export class BodyPipeline implements BodySink {
  readonly #end: BodySink;
  readonly #stages: BodyStage[] = [];

  constructor(end: BodySink) {
    this.#end = end;
  }

  add(stage: BodyStage): void {
    stage.next = this.#end;
    const last = this.#stages.at(-1);
    if (last) last.next = stage;
    this.#stages.push(stage);
  }

  onData(chunk: Buffer, end: boolean): void {
    this.#stages[0]!.onData(chunk, end);
  }

  onTrailers(trailers: HeaderList): void {
    this.#stages[0]!.onTrailers(trailers);
  }

  onWritable(): void {
    for (const stage of this.#stages) stage.onWritable?.();
  }

  cancel(): void {
    for (const stage of this.#stages) stage.cancel?.();
  }
}
