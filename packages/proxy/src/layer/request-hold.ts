import type { ServerStream } from "./stream.ts";

/** Who wants request data held back; one bit each. */
export const Holder = { Filters: 1, Upstream: 2, Stages: 4 } as const;

/** Stops a request's data while anybody wants it held back. */
export class RequestHold {
  readonly #stream: ServerStream;
  #holders = 0;

  constructor(stream: ServerStream) {
    this.#stream = stream;
  }

  isHeldBy(holders: number): boolean {
    return (this.#holders & holders) !== 0;
  }

  hold(holder: number): void {
    if (this.#holders === 0) this.#stream.pauseRequest();
    this.#holders |= holder;
  }

  /** True when nobody holds it any more, and its data may come again. */
  release(holder: number): boolean {
    if ((this.#holders & holder) === 0) return false;
    this.#holders &= ~holder;
    return this.#holders === 0;
  }
}
