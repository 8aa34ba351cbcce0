import type { Http2Plan } from "./http2-plan.ts";

/** Envoy's `overload.premature_reset_total_stream_count` and `…_min_stream_lifetime_seconds`. */
const resetsJudgedFrom = 500;
const prematureMs = 1000;

/**
 * Counts what costs the peer less than us. Each call tells whether the
 * connection has gone beyond what honest peers do and must be closed.
 *
 * @see envoy source/common/http/http2/protocol_constraints.cc
 */
export class FloodGuard {
  readonly #plan: Http2Plan;
  #emptyFrames = 0;
  #priorityFrames = 0;
  #windowUpdates = 0;
  #outboundFrames = 0;
  #outboundControlFrames = 0;
  #dataFramesSent = 0;
  #streamsOpened = 0;
  #streamsClosed = 0;
  #prematureResets = 0;

  constructor(plan: Http2Plan) {
    this.#plan = plan;
  }

  streamOpened(): void {
    this.#streamsOpened += 1;
  }

  streamClosed(): void {
    this.#streamsClosed += 1;
  }

  /** HEADERS, CONTINUATION and DATA frames. */
  frameWithPayload(isEmpty: boolean): boolean {
    if (!isEmpty) {
      this.#emptyFrames = 0;
      return false;
    }
    this.#emptyFrames += 1;
    return this.#emptyFrames > this.#plan.maxConsecutiveEmptyFrames;
  }

  priorityFrame(): boolean {
    this.#priorityFrames += 1;
    return this.#priorityFrames > this.#plan.maxPriorityFramesPerStream * (1 + this.#streamsOpened);
  }

  windowUpdate(): boolean {
    this.#windowUpdates += 1;
    const perStream = this.#streamsOpened + this.#plan.maxWindowUpdatesPerDataFrame * this.#dataFramesSent;
    return this.#windowUpdates > 5 + 2 * perStream;
  }

  /** The peer reset a stream, or made us do so, `ageMs` after it had opened it and before the answer was complete. */
  resetEarly(ageMs: number): boolean {
    if (ageMs < prematureMs) this.#prematureResets += 1;
    return this.#prematureResets * 2 >= Math.max(resetsJudgedFrom, this.#streamsClosed);
  }

  /** `isDrained` tells that nothing waits to be written. */
  dataFrameSent(isDrained: boolean): boolean {
    this.#dataFramesSent += 1;
    return this.frameSent(isDrained);
  }

  frameSent(isDrained: boolean): boolean {
    if (isDrained) this.#drained();
    this.#outboundFrames += 1;
    return this.#outboundFrames > this.#plan.maxOutboundFrames;
  }

  controlFrameSent(isDrained: boolean): boolean {
    if (isDrained) this.#drained();
    this.#outboundControlFrames += 1;
    return this.#outboundControlFrames > this.#plan.maxOutboundControlFrames;
  }

  #drained(): void {
    this.#outboundFrames = 0;
    this.#outboundControlFrames = 0;
  }
}
