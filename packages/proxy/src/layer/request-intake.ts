import { BodyPipeline, type BodySink, type BodyStage } from "./body-stage.ts";
import type { UpstreamCall } from "./forwarder.ts";
import type { HeaderList } from "./header-list.ts";
import { HeldBody } from "./held-body.ts";

/** Told when more is held than may be. */
export interface IntakeOwner {
  readonly isOver: boolean;
  onIntakeFull(): void;
}

interface AwaitedBody {
  readonly maxBytes: number;
  readonly onBody: (body: readonly Buffer[], isComplete: boolean) => void;
}

/**
 * A request body that cannot simply stream on: filters have not decided yet,
 * or change it, or wait for all of it. Made only where one of these is so.
 */
export class RequestIntake implements BodySink {
  readonly #owner: IntakeOwner;
  #limitBytes: number;
  #held: HeldBody | undefined = undefined;
  #stages: BodyPipeline | undefined = undefined;
  #awaited: AwaitedBody | undefined = undefined;
  #target: UpstreamCall | undefined = undefined;
  #isEnded = false;

  constructor(owner: IntakeOwner, limitBytes: number) {
    this.#owner = owner;
    this.#limitBytes = limitBytes;
  }

  /** Whether anything of the body is still to be handed on. */
  get hasMore(): boolean {
    return this.#held !== undefined || (this.#stages !== undefined && !this.#isEnded);
  }

  /** Whether parts must go on coming through here after `open`. */
  get hasStages(): boolean {
    return this.#stages !== undefined;
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
    this.#isEnded = false;
    held?.deliver(stage, () => this.#owner.isOver);
  }

  await(maxBytes: number, onBody: AwaitedBody["onBody"]): void {
    this.#limitBytes = Math.max(this.#limitBytes, maxBytes);
    this.#awaited = { maxBytes, onBody };
    this.#answer();
  }

  /** From now on everything goes to `target`, what is held first. */
  open(target: UpstreamCall): void {
    this.#target = target;
    const held = this.#held;
    this.#held = undefined;
    held?.deliver(this.#end, () => this.#owner.isOver);
  }

  onWritable(): void {
    this.#stages?.onWritable();
  }

  cancel(): void {
    this.#stages?.cancel();
    this.#held = undefined;
    this.#awaited = undefined;
  }

  /** What comes out of the last stage. */
  readonly #end: BodySink = {
    onData: (chunk, end) => {
      if (this.#owner.isOver) return;
      if (end) this.#isEnded = true;
      if (this.#target) {
        this.#target.onRequestData(chunk, end);
        return;
      }
      this.#held ??= new HeldBody();
      this.#held.add(chunk, end);
      if (this.#awaited) this.#answer();
      else if (this.#held.bytes > this.#limitBytes) this.#owner.onIntakeFull();
    },
    onTrailers: (trailers) => {
      if (this.#owner.isOver) return;
      this.#isEnded = true;
      if (this.#target) {
        this.#target.onRequestTrailers(trailers);
        return;
      }
      this.#held ??= new HeldBody();
      this.#held.addTrailers(trailers);
      this.#answer();
    },
  };

  #answer(): void {
    const awaited = this.#awaited;
    const held = this.#held;
    if (!awaited || !held) return;
    const isTooLarge = held.bytes > awaited.maxBytes;
    if (!held.isComplete && !isTooLarge) return;
    this.#awaited = undefined;
    awaited.onBody(held.chunks, held.isComplete && !isTooLarge);
  }
}
