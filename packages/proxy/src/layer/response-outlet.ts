import { BodyPipeline, type BodySink, type BodyStage } from "./body-stage.ts";
import type { HeaderList } from "./header-list.ts";
import { HeldBody } from "./held-body.ts";

/** Where the response goes when nothing is in its way. */
export interface OutletOwner extends BodySink {
  readonly isOver: boolean;
}

/**
 * A response body that cannot simply stream on: a filter has stopped the
 * response, or changes its body. Made only where one of these is so.
 */
export class ResponseOutlet implements BodySink {
  readonly #owner: OutletOwner;
  readonly #limitBytes: number;
  #held: HeldBody | undefined = undefined;
  #stages: BodyPipeline | undefined = undefined;
  /** Until the head has been sent, what comes is held. */
  #isOpen = false;

  constructor(owner: OutletOwner, limitBytes: number) {
    this.#owner = owner;
    this.#limitBytes = limitBytes;
  }

  get isFull(): boolean {
    return this.#held !== undefined && this.#held.bytes > this.#limitBytes;
  }

  onData(chunk: Buffer, end: boolean): void {
    (this.#stages ?? this.#end).onData(chunk, end);
  }

  onTrailers(trailers: HeaderList): void {
    (this.#stages ?? this.#end).onTrailers(trailers);
  }

  addStage(stage: BodyStage): void {
    this.#stages ??= new BodyPipeline(this.#end);
    this.#stages.add(stage);
    const held = this.#held;
    this.#held = undefined;
    held?.deliver(stage, () => this.#owner.isOver);
  }

  /** The head has been sent: what was held follows. */
  open(): void {
    this.#isOpen = true;
    const held = this.#held;
    this.#held = undefined;
    held?.deliver(this.#owner, () => this.#owner.isOver);
  }

  onWritable(): void {
    this.#stages?.onWritable();
  }

  cancel(): void {
    this.#stages?.cancel();
    this.#held = undefined;
  }

  readonly #end: BodySink = {
    onData: (chunk, end) => {
      if (this.#owner.isOver) return;
      if (this.#isOpen) this.#owner.onData(chunk, end);
      else {
        this.#held ??= new HeldBody();
        this.#held.add(chunk, end);
      }
    },
    onTrailers: (trailers) => {
      if (this.#owner.isOver) return;
      if (this.#isOpen) this.#owner.onTrailers(trailers);
      else {
        this.#held ??= new HeldBody();
        this.#held.addTrailers(trailers);
      }
    },
  };
}
